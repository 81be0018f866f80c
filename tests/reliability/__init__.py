"""What the project promises about damage, interruption and hostile input, each promise tried many times."""
