"""The terminal dashboard.

A view is one file in `views/` and its name in `VIEWS` of `app.py`. Most are a TableView: say which
columns there are, load a page by a usecase, turn a row into cells. What can be done to a row is an
Action, a piece of data that names a usecase; where a row leads to is a Link; what Enter opens is
what `describe` returns. The frame does the rest: paging, the cursor, marks, the filter, refreshing,
confirmations, `--readonly`, outages, help and the command palette. `views/jobs.py` is the model.

Rules, audit and SQL are the usecases' own. No file but those in this folder imports Textual.
"""
