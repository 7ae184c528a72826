"""What is optimised: functions of embeddings, written for the whole (global) batch."""
