"""The small network that a ticket is: what the mask cut off taken out, in forms that are kept, measured and shipped."""
