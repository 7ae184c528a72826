"""How examples reach the device."""
