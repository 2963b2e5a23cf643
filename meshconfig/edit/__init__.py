"""A spec's text edited as a person would: what a command changes, and no other line. Text in, text out."""
