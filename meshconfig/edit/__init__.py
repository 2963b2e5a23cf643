"""Edits the text of a spec as a person would: it changes the lines of the edit, and no other. No I/O."""
