"""A page with every kind of panel, for the tests and to look at."""

from __future__ import annotations

from lth_pipeline.reports.analyses.section import Section, Shown
from lth_pipeline.reports.page import Chapter, Entry, KeyValues, Link, Page
from lth_pipeline_tests.reports.charts import samples

WICKED = '</script><script>document.title = "owned"</script><img src=x onerror="document.title = 1">'


def sample_page() -> Page:
    rows = [
        [f"round {round}", f"{100 * 0.8**round:.1f} %", f"{97 - round / 3:.2f} ± 0.11", f"{5000 - 100 * round:,}"]
        for round in range(9)
    ]
    columns = ["round", "weights left", "ticket, %", "early-stop iteration"]
    verdict = Section(
        "At 21.1 % of the weights the ticket ends 0.63 ± 0.11 percentage points above its random reinit "
        "control (mean of paired differences ± their standard deviation; n = 3).",
        [samples.lines(), samples.one_panel()],
        ["A winning ticket is a sparse subnetwork that trains to the dense network's accuracy in as many iterations."],
        [Shown("Test accuracy at the early-stop iteration, mean ± standard deviation of n = 3.", columns, rows)],
    )
    why = Section("The two minima lie in one basin (n = 3).", [samples.surface(), samples.heats()])
    odd = Section(f"A wicked card: {WICKED}", [samples.many_lines(), samples.bars()], [WICKED])
    settings = KeyValues(
        "Settings of the card",
        [("training.learning_rate", 0.0012), ("data.path", WICKED), ("pruning.rates", {"fc": 0.2})],
        code=True,
    )
    made = [
        Entry(
            "settings", "Settings", tables=[settings], links=[Link("The MLflow run", "http://127.0.0.1:5000/#/runs")]
        ),
        Entry("odd", WICKED, section=odd, links=[Link("wicked", "javascript:alert(1)")], note=WICKED),
    ]
    return Page(
        "digits",
        "LeNet-300-100 on scikit-learn's handwritten digits",
        [
            Chapter(
                "Is there a winning ticket?",
                [Entry("verdict", "Verdict", "How sparse can it be?", verdict, csv={"verdict.csv": "round,n\n1,3\n"})],
            ),
            Chapter(
                "Why?", [Entry("landscape", "The loss around the minima", "One basin or two?", why)], "What it is."
            ),
            Chapter("What does it cost?", [Entry("cost", "Cost", note="Not analysed: a round is missing.")]),
            Chapter("How was it made?", made),
        ],
        subtitle="handwritten digits · 900 iterations · n = 3 · seed 0",
        notes=["Quick run, not the paper's protocol."],
        where="in MLflow, at the run of the experiment",
        footer="Made by lth_pipeline 0.7.0",
    )
