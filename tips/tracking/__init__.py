"""The run folders as MLflow shows them."""
