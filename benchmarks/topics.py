"""Topics against the tags that people gave: purity and normalised mutual information, beside plain k-means.

    python -m benchmarks.topics [--workdir FOLDER]

Needs ``../shared/datasets`` and ``../shared/formats``. A post counts under that of its tags which most posts have.
Plain k-means (scikit-learn) groups the mean vectors of the same posts as they are, into as many groups. Stability: a
twentieth of the posts is taken out, and the topics are found again, from the earlier ones and without. The map is
measured by its trustworthiness (scikit-learn, 10 neighbours), beside that of the two main axes. Writes
benchmarks/results/topics.json and the table in docs/gaps.md.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click
import numpy as np
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from benchmarks.confidence import DATASETS
from devtools.environment import ROOT, save
from qa_search import SearchIndex, build_index
from qa_search.insights.grouping import directions_from, sample_numbers
from qa_search.insights.topic_map import laid_out
from qa_search.insights.topics import MOST_POSTS, mean_of_each, topics_of

FORMATS = ROOT.parent / "shared" / "formats"
PAGE = ROOT / "docs" / "gaps.md"
START, END = "<!-- topics: python -m benchmarks.topics -->\n", "<!-- end of topics -->"
ARCHIVES = {
    "beer (Stack Exchange)": DATASETS / "beer_se" / "raw_sample" / "Posts.xml",
    "coffee (Stack Exchange)": FORMATS / "coffee" / "Posts.xml",
    "a third Stack Exchange dump": FORMATS / "szyyn95+SE_duplicate_loader" / "Posts.xml",
    "doctor_forums": DATASETS / "doctor_forums" / "corpus.jsonl",
}
LEFT_OUT = 20  # every 20th post


def purity(labels: Sequence[int], tags: Sequence[str]) -> float:
    """Return the share of posts whose tag is the most frequent one of their group."""
    groups: dict[int, Counter[str]] = {}
    for label, tag in zip(labels, tags, strict=True):
        groups.setdefault(label, Counter())[tag] += 1
    return sum(max(group.values()) for group in groups.values()) / len(labels)


def measure(index: SearchIndex) -> dict[str, Any]:
    """Compare the topics of an index with its tags."""
    retriever = index.retriever
    numbers = sample_numbers(retriever.words.count, MOST_POSTS)
    posts = retriever.posts.entries(numbers.tolist())
    tags_of = [[tag.casefold() for tag in posts[number].tags] for number in numbers.tolist()]
    often = Counter(tag for tags in tags_of for tag in tags)
    passages, starts = retriever.owners.passages_of(numbers)
    vectors = mean_of_each(retriever.vectors.reconstruct(passages), starts)
    directions = directions_from(vectors, vectors.mean(axis=0))
    labels, centres = topics_of(directions)
    tagged = [row for row, tags in enumerate(tags_of) if tags]
    tags = [max(tags_of[row], key=lambda tag: (often[tag], tag)) for row in tagged]
    plain = KMeans(len(set(labels.tolist())), n_init=4, random_state=0).fit_predict(vectors)
    figures: dict[str, Any] = {"posts": len(numbers), "tagged": len(tagged), "tags": len(set(tags))}
    for name, found in (("topics", labels), ("k-means", plain)):
        own = found[tagged].tolist()
        figures[name] = {
            "groups": len(set(found.tolist())),
            "purity": purity(own, tags),
            "NMI": float(normalized_mutual_info_score(tags, own)),
        }
    figures["most frequent tag"] = Counter(tags).most_common(1)[0][1] / len(tags)
    rest = np.flatnonzero(np.arange(len(directions)) % LEFT_OUT != 0)
    figures["stability"] = {
        name: float(adjusted_rand_score(labels[rest], topics_of(directions[rest], start)[0]))
        for name, start in (("from the earlier", centres), ("without", None))
    }
    axes = PCA(2, random_state=0).fit_transform(directions)
    figures["trustworthiness"] = {
        name: float(trustworthiness(directions, places, n_neighbors=10))
        for name, places in (("map", laid_out(directions)), ("two axes", axes))
    }
    return figures


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Write the rows in Markdown."""
    lines = [
        "| archive | tagged posts | tags | topics | purity | k-means | largest tag | NMI | k-means "
        "| stable from earlier | without | map | two axes |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for name, row in rows.items():
        ours, plain, stable = row["topics"], row["k-means"], row["stability"]
        figures = [ours["purity"], plain["purity"], row["most frequent tag"], ours["NMI"], plain["NMI"]]
        cells = [name, row["tagged"], row["tags"], ours["groups"]]
        figures += [stable["from the earlier"], stable["without"], *row["trustworthiness"].values()]
        cells += [f"{figure:.3f}" for figure in figures]
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines) + "\n"


@click.command()
@click.option("--workdir", type=click.Path(path_type=Path), help="Where indexes are kept between runs.")
def main(workdir: Path | None) -> None:
    """Measure everything."""
    rows = {}
    with tempfile.TemporaryDirectory() as scratch:
        for number, (name, source) in enumerate(ARCHIVES.items()):
            path = (workdir or Path(scratch)) / f"topics-{number}"
            build_index([source], path)
            with SearchIndex.open(path) as index:
                rows[name] = measure(index)
            click.echo(f"{name}: {json.dumps(rows[name])}", err=True)
    click.echo(table(rows))
    save("topics", {"archives": rows})
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(START)
    PAGE.write_text(before + START + table(rows) + END + rest.partition(END)[2], encoding="utf-8")


if __name__ == "__main__":
    main()
