"""What is asked of trained tickets: pure functions, tensors and numbers in, numbers out; one file per question."""
