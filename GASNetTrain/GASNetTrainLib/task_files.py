"""Names of the files through which a task's two sides talk; see :mod:`.task_process`."""

REQUEST_FILE, EVENTS_FILE, CANCEL_FILE, COHORT_FILE = "request.json", "events.jsonl", "cancel", "cohort.csv"
