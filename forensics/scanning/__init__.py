"""One video in, one `ScanResult` out; and the result as JSON, as a page, as a line of a table.

    result.py    what a scan says
    look.py      who can be seen when, and the windows cut from them
    spans.py     the stretches of a video that are fake
    scanner.py   looking, judging, looking again where something is suspicious
    pictures.py  the most telling frame pairs, with heat maps
    page.py      the report as a self-contained HTML page
    table.py     one line a video, as CSV
    schema.py    the published JSON schema
    batch.py     many videos, each once

`forensics.scan` hands the public names on.
"""
