"""Drawings of manmade objects: toys, vehicles and household items, as shapes in unit coordinates."""

from negjax.datasets.scenes.shapes import (
    BLACK,
    WHITE,
    SceneObject,
    arc,
    box,
    curve,
    ellipse,
    mirrored_polygon,
    polygon,
    ring,
    scene_object,
    stroke,
    wedge,
)

YELLOW = "#ffd91f"
FRAME, PAINT, NECK, LIME, SAIL = "#00a67e", "#1c3fd6", "#4a240c", "#b5ea1e", "#00768f"
STAND, ROCKET_RED, SCARF, VIOLET = "#5a1f63", "#d8232f", "#1789e6", "#6a1fb5"

MANMADE_OBJECTS: tuple[SceneObject, ...] = (
    scene_object(
        "ball",
        *(
            wedge(colour, 0, 0, 1, start, start + 60)
            for colour, start in zip(("#e8202a", WHITE, "#1668e0", YELLOW, "#14a54a", WHITE), range(10, 370, 60))
        ),
        ellipse(WHITE, 0, 0, 0.2, 0.2),
    ),
    scene_object(
        "balloon",
        stroke("#5a4a55", 0.09, curve([(0, 0.5), (0.1, 0.72), (-0.1, 0.94), (0.05, 1.16)])),
        polygon("#b80a6c", [(0, 0.38), (0.19, 0.67), (-0.19, 0.67)]),
        mirrored_polygon("#f0188c", [(0, -1.1), (0.6, -0.95), (0.86, -0.42), (0.66, 0.1), (0.28, 0.43), (0, 0.5)]),
        ellipse("#ffb3dc", -0.38, -0.6, 0.15, 0.27, 25),
    ),
    scene_object(
        "bicycle",
        ring(BLACK, -0.6, 0.3, 0.42, 0.16),
        ring(BLACK, 0.6, 0.3, 0.42, 0.16),
        stroke(FRAME, 0.15, [(-0.6, 0.3), (-0.3, -0.28), (0.38, -0.28), (0.0, 0.3), (-0.6, 0.3)]),
        stroke(FRAME, 0.15, [(0.0, 0.3), (-0.36, -0.46)]),
        stroke(FRAME, 0.15, [(0.6, 0.3), (0.34, -0.5)]),
        stroke(BLACK, 0.15, curve([(0.1, -0.52), (0.36, -0.58), (0.58, -0.44)])),
        stroke(BLACK, 0.17, [(-0.6, -0.48), (-0.16, -0.48)]),
    ),
    scene_object(
        "boat",
        box("#6b4a2b", -0.07, -1.0, 0.07, 0.5),
        polygon(WHITE, [(0.12, -0.95), (0.92, 0.3), (0.12, 0.3)]),
        polygon("#ff8a1f", [(-0.12, -0.7), (-0.12, 0.3), (-0.74, 0.3)]),
        polygon("#14286e", [(-1.0, 0.4), (1.0, 0.4), (0.62, 0.95), (-0.66, 0.95)]),
    ),
    scene_object(
        "car",
        polygon(PAINT, curve([(-0.68, 0.0), (-0.44, -0.52), (0.26, -0.52), (0.62, 0.0)], steps=5)),
        polygon("#cfeeff", [(-0.5, -0.06), (-0.36, -0.4), (-0.07, -0.4), (-0.07, -0.06)]),
        polygon("#cfeeff", [(0.05, -0.06), (0.05, -0.4), (0.22, -0.4), (0.46, -0.06)]),
        polygon(PAINT, [(-0.98, -0.06), (0.62, -0.06), (0.94, 0.06), (1.0, 0.44), (-1.0, 0.44)]),
        ellipse(YELLOW, 0.9, 0.17, 0.1, 0.1),
        *(ellipse(BLACK, x, 0.44, 0.28, 0.28) for x in (-0.55, 0.55)),
        *(ellipse("#c8ccd4", x, 0.44, 0.12, 0.12) for x in (-0.55, 0.55)),
    ),
    scene_object(
        "cup",
        *(
            stroke(WHITE, 0.1, curve([(x, -0.6), (x + 0.1, -0.72), (x - 0.06, -0.86), (x + 0.05, -0.98)]))
            for x in (-0.36, 0, 0.36)
        ),
        ring("#0a9fa3", 0.68, 0.14, 0.28, 0.2),
        polygon("#0fb8bc", [(-0.74, -0.4), (0.74, -0.4), (0.62, 0.6), (0.42, 0.8), (-0.42, 0.8), (-0.62, 0.6)]),
        polygon("#f4ffd8", [(-0.69, 0.08), (0.69, 0.08), (0.65, 0.34), (-0.65, 0.34)]),
        ellipse("#067377", 0, -0.4, 0.74, 0.16),
        ellipse("#5a2c12", 0, -0.38, 0.6, 0.1),
    ),
    scene_object(
        "guitar",
        box(NECK, -0.12, -0.75, 0.12, 0.1),
        box(NECK, -0.22, -1.05, 0.22, -0.72),
        *(box("#f0e6d0", s * 0.26 - 0.07, y, s * 0.26 + 0.07, y + 0.1) for s in (-1, 1) for y in (-1.0, -0.86)),
        mirrored_polygon(
            "#d9822b",
            [(0, -0.22), (0.4, -0.22), (0.56, 0.04), (0.46, 0.28), (0.74, 0.62), (0.6, 0.98), (0, 1.06)],
        ),
        ellipse("#3a1a08", 0, 0.24, 0.22, 0.22),
        box(NECK, -0.32, 0.7, 0.32, 0.83),
        stroke("#f0e6d0", 0.06, [(0, -0.75), (0, 0.72)]),
    ),
    scene_object(
        "hat",
        ellipse(BLACK, 0, 0.5, 1.0, 0.25),
        polygon(BLACK, [(-0.66, -0.75), (0.66, -0.75), (0.54, 0.5), (-0.54, 0.5)]),
        ellipse("#33333f", 0, -0.75, 0.66, 0.14),
        polygon("#e01b2f", [(-0.595, 0.02), (0.595, 0.02), (0.555, 0.38), (-0.555, 0.38)]),
    ),
    scene_object(
        "kite",
        stroke("#00607a", 0.09, curve([(0, 0.5), (0.14, 0.66), (-0.1, 0.84), (0.1, 1.02)])),
        polygon(LIME, [(0, -1.0), (0.78, -0.28), (0, -0.28)]),
        polygon(SAIL, [(0, -1.0), (-0.78, -0.28), (0, -0.28)]),
        polygon(LIME, [(-0.78, -0.28), (0, 0.55), (0, -0.28)]),
        polygon(SAIL, [(0.78, -0.28), (0, 0.55), (0, -0.28)]),
        *(
            polygon(
                "#ff4d2e",
                [(x - 0.22, y - 0.1), (x - 0.22, y + 0.1), (x + 0.22, y - 0.1), (x + 0.22, y + 0.1)],
            )
            for x, y in ((0.08, 0.68), (-0.06, 0.9))
        ),
    ),
    scene_object(
        "lamp",
        ellipse("#fff3a0", 0, 0.0, 0.4, 0.22),
        box(STAND, -0.1, -0.1, 0.1, 0.8),
        ellipse(STAND, 0, 0.48, 0.26, 0.28),
        mirrored_polygon(STAND, [(0, 0.7), (0.34, 0.74), (0.5, 0.94), (0, 0.94)]),
        polygon("#6fe3b0", [(-0.42, -0.9), (0.42, -0.9), (0.84, -0.02), (-0.84, -0.02)]),
        polygon("#2fb57d", [(-0.77, -0.16), (0.77, -0.16), (0.84, -0.02), (-0.84, -0.02)]),
    ),
    scene_object(
        "pizza",
        mirrored_polygon("#b86a1f", [(0, -1.0), (0.62, -0.9), (0.92, -0.64), (0.72, -0.44), (0, -0.5)]),
        polygon("#ffc940", [*curve([(-0.8, -0.58), (0, -0.76), (0.8, -0.58)]), (0, 1.0)]),
        ellipse("#c9281e", -0.34, -0.36, 0.21, 0.21),
        ellipse("#c9281e", 0.36, -0.3, 0.21, 0.21),
        ellipse("#c9281e", 0.0, 0.24, 0.2, 0.2),
        ellipse("#3f9c2f", 0.04, -0.1, 0.12, 0.07, 30),
        ellipse("#3f9c2f", 0.02, -0.56, 0.11, 0.07, -20),
    ),
    scene_object(
        "rocket",
        mirrored_polygon("#ff9d0a", [(0, 0.55), (0.32, 0.66), (0.2, 0.9), (0, 1.1)]),
        *(polygon(ROCKET_RED, [(s * 0.36, 0.0), (s * 0.86, 0.46), (s * 0.86, 0.86), (s * 0.34, 0.6)]) for s in (-1, 1)),
        mirrored_polygon("#d5dbe6", [(0, -1.05), (0.32, -0.7), (0.5, -0.15), (0.46, 0.36), (0.32, 0.66), (0, 0.66)]),
        mirrored_polygon(ROCKET_RED, [(0, -1.07), (0.19, -0.9), (0.35, -0.6), (0, -0.54)]),
        ellipse("#274b9f", 0, -0.12, 0.28, 0.28),
        ellipse("#8fd3ff", 0, -0.12, 0.18, 0.18),
        box(ROCKET_RED, -0.07, 0.3, 0.07, 0.86),
    ),
    scene_object(
        "snowman",
        stroke("#6b3d1a", 0.09, [(-0.4, 0.15), (-0.92, -0.2)]),
        stroke("#6b3d1a", 0.09, [(0.4, 0.15), (0.92, -0.2)]),
        ellipse("#8fa3c7", 0, 0.46, 0.68, 0.6),
        ellipse("#8fa3c7", 0, -0.35, 0.5, 0.46),
        ellipse(WHITE, 0, 0.46, 0.62, 0.54),
        ellipse(WHITE, 0, -0.35, 0.44, 0.4),
        stroke(SCARF, 0.2, curve([(-0.42, -0.06), (0, 0.06), (0.42, -0.06)])),
        stroke(SCARF, 0.2, [(0.24, 0.0), (0.32, 0.42)]),
        box(BLACK, -0.54, -0.74, 0.54, -0.6),
        box(BLACK, -0.33, -1.08, 0.33, -0.66),
        *(ellipse(BLACK, x, y, 0.07, 0.07) for x, y in ((-0.16, -0.42), (0.16, -0.42), (0, 0.36), (0, 0.66))),
        polygon("#ff7a0d", [(0, -0.37), (0.42, -0.26), (0, -0.19)]),
    ),
    scene_object(
        "umbrella",
        stroke("#4b3b2a", 0.12, [(0, -1.0), (0, 0.6), *arc(0.2, 0.66, 0.2, 0.2, 180, 0)]),
        polygon(
            VIOLET,
            [
                *arc(0, 0, 1.0, 0.86, 180, 360),
                *(point for x in (0.75, 0.25, -0.25, -0.75) for point in arc(x, 0, 0.25, 0.14, 360, 180)),
            ],
        ),
        *(
            polygon(
                "#b25cff",
                [
                    *curve([(0, -0.86), (left * 0.72, -0.5), (left, 0)]),
                    *arc(left + 0.25, 0, 0.25, 0.14, 180, 360),
                    *curve([(left + 0.5, 0), ((left + 0.5) * 0.72, -0.5), (0, -0.86)]),
                ],
            )
            for left in (-1.0, 0.0)
        ),
    ),
)
