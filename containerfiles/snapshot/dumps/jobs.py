"""The jobs of a run, by production's names, in the order in which they are done."""

import os
import time

from . import commands

TABLES = {
    "sitestatstable": "site_stats", "imagetable": "image", "pagelinkstable": "pagelinks", "categorylinkstable": "categorylinks",
    "imagelinkstable": "imagelinks", "templatelinkstable": "templatelinks", "externallinkstable": "externallinks",
    "langlinkstable": "langlinks", "usergroupstable": "user_groups", "userformergroupstable": "user_former_groups",
    "categorytable": "category", "pagetable": "page", "pagerestrictionstable": "page_restrictions", "pagepropstable": "page_props",
    "protectedtitlestable": "protected_titles", "redirecttable": "redirect", "iwlinkstable": "iwlinks",
    "changetagstable": "change_tag", "changetagdeftable": "change_tag_def", "sitestable": "sites",
}
# Production's tables come without LOCK TABLES, and nothing is locked to read them.
UNLOCKED = ["--skip-add-locks", "--skip-lock-tables", "--single-transaction"]
SITEINFO = "namespaces|namespacealiases|magicwords|general"
REPORT = "--report=500"  # revisions
STUBS = ["stub-meta-history.xml.gz", "stub-meta-current.xml.gz", "stub-articles.xml.gz"]


class Job:
    def __init__(self, files, make, needs=()):
        self.files = files
        self.make = make  # called with the run and a path to write for each file
        self.needs = needs


def table(name):
    def make(run, out):
        dump = ["mariadb-dump", *run.client(), "--max-allowed-packet=64M", "--opt", "--quote-names", *UNLOCKED]
        commands.pipe(run, [dump + [run.wiki.db, name], ["gzip", "-n"]], out)

    return Job([f"{name}.sql.gz"], make)


def titles(name, query):
    def make(run, out):
        ask = ["mariadb", *run.client(), "--batch", "--quick", f"--execute={query}", run.wiki.db]
        commands.pipe(run, [ask, ["gzip", "-n"]], out)

    return Job([name], make)


def namespaces(name, version):
    """What the API answers in a version of its format; in the second, letters of all scripts stand for themselves."""
    form = ["--compact", "--no-ensure-ascii"] if version == 2 else ["--compact"]

    def make(run, out):
        commands.pipe(run, [run.siteinfo(SITEINFO, version), ["python3", "-m", "json.tool", *form], ["gzip", "-n"]], out)

    return Job([name], make)


def stubs(run, *out):
    history, current, articles = (f"--output=gzip:{path}" for path in out)
    latest = "--filter=latest"
    outputs = [history, current, latest, articles, latest, "--filter=notalk", "--filter=namespace:!NS_USER"]
    commands.run(run, run.maintenance("dumpBackup.php", "--full", "--stub", REPORT, *outputs))
    # MediaWiki does not look whether its compressors could write what it gave them.
    for path in out:
        commands.run(run, ["gzip", "--test", "--suffix=.inprog", path])


def logs(run, out):
    commands.pipe(run, [run.maintenance("dumpBackup.php", "--logs", REPORT), ["gzip", "-n"]], out)


def pages(kind, stub, name, smaller=None):
    """Revisions with their texts: those that a smaller job of this run has asked the databases for are taken from it."""

    def make(run, out):
        text = run.php_script("text-pass.php", "--dbgroupdefault=dump", f"--stub=gzip:{run.file(stub)}", kind, REPORT)
        if smaller in run.made:
            text.append(f"--prefetch=bzip2:{run.file(*ALL[smaller].files)}")
        commands.pipe(run, [text, ["bzip2"]], out)

    return Job([name], make, ["xmlstubsdump"])


def seven_zip(run, out):
    history = run.file("pages-meta-history.xml.bz2")
    commands.pipe(run, [["bzip2", "-dc", history], ["7z", "a", "-t7z", "-mx=4", "-bd", "-bso0", "-si", out]])


def recompress(run, out, index):
    tool = ["recompressxml", "--pagesperstream", "100", "--buildindex", index, "--outpath", out]
    commands.pipe(run, [["bzip2", "-dc", run.file("pages-articles.xml.bz2")], tool])


ALL = {name: table(of) for name, of in TABLES.items()}
ALL |= {
    "namespaces": namespaces("siteinfo-namespaces.json.gz", 1),
    "namespacesv2": namespaces("siteinfo2-namespacesv2.json.gz", 2),
    "pagetitlesdump": titles("all-titles-in-ns0.gz", "SELECT page_title FROM page WHERE page_namespace = 0 ORDER BY page_title"),
    "allpagetitlesdump": titles("all-titles.gz", "SELECT page_namespace, page_title FROM page ORDER BY page_namespace, page_title"),
    "xmlstubsdump": Job(STUBS, stubs),
    "articlesdump": pages("--current", "stub-articles.xml.gz", "pages-articles.xml.bz2"),
    "metacurrentdump": pages("--current", "stub-meta-current.xml.gz", "pages-meta-current.xml.bz2", "articlesdump"),
    "xmlpagelogsdump": Job(["pages-logging.xml.gz"], logs),
    "metahistorybz2dump": pages("--full", "stub-meta-history.xml.gz", "pages-meta-history.xml.bz2", "metacurrentdump"),
    "metahistory7zdump": Job(["pages-meta-history.xml.7z"], seven_zip, ["metahistorybz2dump"]),
    "articlesmultistreamdump": Job(
        ["pages-articles-multistream.xml.bz2", "pages-articles-multistream-index.txt.bz2"], recompress, ["articlesdump"]
    ),
}


def do(run, names):
    """Does what is to be done of a run; tells whether all of it is done."""
    wanted = chosen(run, names)
    run.tell.plan(wanted)
    good = True
    for name in wanted:
        job = ALL[name]
        missing = [need for need in job.needs if not run.has(need)]
        good &= one(run, name, job, missing)
    run.finish()
    return good


def chosen(run, names):
    if not names:
        if all(run.has(name) for name in ALL):
            run.forget()
        return [name for name in ALL if not run.has(name)]
    needed = set(names)
    for name in reversed(ALL):  # what is needed comes before what needs it
        if name in needed:
            needed |= {need for need in ALL[name].needs if not run.has(need)}
    return [name for name in ALL if name in needed]


def one(run, name, job, missing):
    began = time.monotonic()
    run.note(name, "in-progress")
    parts = [run.file(file) + ".inprog" for file in job.files]
    why = f"{missing[0]} was not done" if missing else None
    if why is None:
        try:
            for part in parts:
                if os.path.exists(part):
                    os.remove(part)
            job.make(run, *parts)
            for part in parts:
                os.rename(part, part.removesuffix(".inprog"))
        except (commands.Failed, OSError, EOFError) as error:
            why = str(error)
            for part in parts:
                if os.path.exists(part):
                    os.remove(part)
    run.note(name, "failed" if why else "done", why, job.files, time.monotonic() - began)
    return why is None
