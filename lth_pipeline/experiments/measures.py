"""What is measured of every training: the names in records, tables and MLflow, everywhere the same."""

MEASURES = (
    "early_stop_iteration",
    "test_accuracy_at_early_stop",
    "test_accuracy_at_end",
    "train_accuracy_at_end",
    "validation_loss_min",
    "seconds",
)
