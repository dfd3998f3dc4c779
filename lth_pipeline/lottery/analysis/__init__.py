"""What can be read off trained tickets."""
