"""What a run says of itself: metrics, MLflow, logs and the report. None of it can stop a run."""
