"""Loads trained models, and predicts the poses of people in boxes."""
