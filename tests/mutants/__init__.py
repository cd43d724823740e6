"""Small deliberate faults in the code, and the command that must notice each of them."""
