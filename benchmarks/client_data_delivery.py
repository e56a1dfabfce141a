"""CPU per GB of segments asked for with client data (CMCD) against the same without."""

from delivery import segment_paths
from private_delivery import alternate, options
from serving import folder, machine, serving

TOLD = (
    "bl%3D21300%2Cbr%3D3200%2Cd%3D4004%2Cmtp%3D25400%2Cot%3Dv%2Csf%3Dh%2Csid%3D%22{sid}%22%2Cst%3Dv"
)
"""What hls.js tells of a request for a segment."""


def main() -> None:
    """Alternate requests without and with client data, of many players."""
    chosen = options(__doc__)
    print(machine())
    with folder() as data, serving(data, TELECINE_API_PROCESSES="1") as telecine:
        plain = segment_paths(telecine)
        telling = {
            kind: [
                f"{path}?CMCD={TOLD.format(sid=f'6e2fb550-c457-11e9-bb97-{sid:012}')}"
                for path in paths
                for sid in range(2000)
            ]
            for kind, paths in plain.items()
        }
        alternate(telecine, ("without", "with"), (plain, telling), chosen)


if __name__ == "__main__":
    main()
