"""How far the jobs that write revisions have got, from what MediaWiki's scripts report now and then."""

import functools
import re
import subprocess

REPORTED = re.compile(r" (\d+) revs \(.* ETA ")
WITH_HISTORY = ["xmlstubsdump", "metahistorybz2dump"]  # the others write a page's last revision
COUNTS = "SELECT COUNT(*) FROM page; SELECT COUNT(*) FROM revision"


class Progress:
    def __init__(self, tell, client, db):
        self.tell, self.client, self.db = tell, client, db

    def hear(self, job, line):
        """Tells whoever called, if that is what a line of a job is about."""
        if self.tell.as_json and (found := REPORTED.search(line)):
            self.tell.part(job, int(found[1]), self.counts[job in WITH_HISTORY])

    @functools.cached_property
    def counts(self):
        """Pages and revisions, if they can be had. The scripts report the highest number of a revision, often many times as many."""
        options = ["--connect-timeout=5", "--batch", "--skip-column-names"]
        command = ["mariadb", *self.client, *options, f"--execute={COUNTS}", self.db]
        told = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False).stdout.split()
        return [int(count) for count in told] if len(told) == 2 else [None, None]
