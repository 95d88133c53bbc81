"""Made from account.proto by `make proto`; nothing here is written by hand."""
