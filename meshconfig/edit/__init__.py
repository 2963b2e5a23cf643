"""A spec's text edited as a person would: what a command changes, and not a byte more. Text in, text out."""
