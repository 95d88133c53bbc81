"""`myapp new`: a feature's model, module and tests, from templates, into this checkout."""
