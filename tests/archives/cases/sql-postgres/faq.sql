--
-- PostgreSQL database dump
--
SET client_encoding = 'UTF8';
CREATE TABLE public.faq (
    id integer NOT NULL,
    question text,
    answer text
);
COPY public.faq (id, question, answer) FROM stdin;
1	Why does it knock?	Limescale, it's common.\nFlush it.
2	How often?	Twice a year.
3	Is it safe?	\N
\.
SELECT pg_catalog.setval('public.faq_id_seq', 2, true);
