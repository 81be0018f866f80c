"""What is measured, and how: each module is one command."""
