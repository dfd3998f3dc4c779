"""What each analysis is shown as: its charts, its sentence, its tables; a file of the analysis's name."""
