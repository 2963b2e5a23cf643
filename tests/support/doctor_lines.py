"""What the doctor printed."""


def marks(lines, *words):
    """The marks of the lines that have all of these words."""
    return [line.split()[0] for line in lines if all(word in line for word in words)]
