"""The use cases as JSON over HTTP."""
