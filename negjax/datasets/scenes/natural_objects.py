"""Drawings of natural objects: fruit, plants and animals, as shapes in unit coordinates."""

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
    scene_object,
    smooth_polygon,
    stroke,
)

CACTUS, FUR, STALK = "#12803e", "#41435f", "#2c9a35"
BANANA, BANANA_TIP = "#ffd91f", "#5c3d10"
DUCK, FIN, CROWN = "#ffdd12", "#ffcb05", "#3bb02b"

NATURAL_OBJECTS: tuple[SceneObject, ...] = (
    scene_object(
        "apple",
        stroke("#6b3d1a", 0.16, [(0.0, -0.42), (0.02, -0.7), (0.14, -0.98)]),
        ellipse("#5fbf2d", 0.45, -0.8, 0.34, 0.15, -28),
        mirrored_polygon(
            "#dc1528",
            [(0, -0.5), (0.42, -0.66), (0.85, -0.42), (0.9, 0.08), (0.68, 0.62), (0.32, 0.9), (0, 0.82)],
        ),
        ellipse("#ff8a8f", -0.5, -0.2, 0.12, 0.24, 20),
    ),
    scene_object(
        "banana",
        stroke(BANANA, [0.2, 0.5, 0.66, 0.68, 0.58, 0.38, 0.16], arc(0.05, -0.75, 0.95, 1.15, 170, 16)),
        stroke("#dda200", 0.08, arc(0.05, -0.75, 1.0, 1.22, 150, 34)),
        stroke(BANANA_TIP, 0.24, arc(0.05, -0.75, 0.95, 1.15, 184, 167)),
        stroke(BANANA_TIP, 0.18, arc(0.05, -0.75, 0.95, 1.15, 19, 10)),
    ),
    scene_object(
        "cactus",
        stroke(CACTUS, 0.28, curve([(-0.05, 0.3), (-0.62, 0.18), (-0.66, -0.25)])),
        ellipse(CACTUS, -0.66, -0.26, 0.14, 0.14),
        stroke(CACTUS, 0.28, curve([(0.05, 0.08), (0.6, -0.02), (0.64, -0.48)])),
        ellipse(CACTUS, 0.64, -0.49, 0.14, 0.14),
        box(CACTUS, -0.3, -0.66, 0.3, 0.6),
        ellipse(CACTUS, 0, -0.66, 0.3, 0.3),
        *(stroke("#6fd08a", 0.06, [(x, -0.64), (x, 0.4)]) for x in (-0.12, 0.12)),
        ellipse("#ff5fa8", 0, -0.94, 0.2, 0.14),
        polygon("#d95f2a", [(-0.5, 0.5), (0.5, 0.5), (0.38, 0.98), (-0.38, 0.98)]),
        box("#b3481c", -0.58, 0.42, 0.58, 0.62),
    ),
    scene_object(
        "carrot",
        *(ellipse("#2fae3a", x, -0.72, 0.15, 0.34, tilt) for x, tilt in ((-0.3, -34), (0.3, 34), (0, 0))),
        mirrored_polygon("#ff7a0d", [(0, -0.5), (0.4, -0.54), (0.58, -0.3), (0.36, 0.34), (0.1, 0.88), (0, 0.94)]),
        stroke("#c4510a", 0.07, [(-0.5, -0.24), (-0.12, -0.2)]),
        stroke("#c4510a", 0.07, [(0.48, -0.02), (0.1, 0.02)]),
        stroke("#c4510a", 0.07, [(-0.33, 0.26), (-0.06, 0.29)]),
    ),
    scene_object(
        "cat",
        stroke(FUR, 0.24, curve([(0.4, 0.8), (0.98, 0.74), (1.0, 0.3), (0.8, 0.02)])),
        ellipse(FUR, 0.81, 0.03, 0.12, 0.12),
        mirrored_polygon(FUR, [(0, -0.1), (0.42, 0.1), (0.62, 0.6), (0.56, 0.94), (0, 0.96)]),
        ellipse(WHITE, 0, 0.56, 0.32, 0.36),
        *(polygon(FUR, [(s * 0.66, -1.06), (s * 0.72, -0.4), (s * 0.06, -0.72)]) for s in (-1, 1)),
        *(polygon("#ff9fb2", [(s * 0.56, -0.88), (s * 0.58, -0.58), (s * 0.28, -0.7)]) for s in (-1, 1)),
        ellipse(FUR, 0, -0.36, 0.72, 0.5),
        ellipse(WHITE, 0, -0.16, 0.32, 0.2),
        *(ellipse("#d4ff3a", x, -0.44, 0.16, 0.15) for x in (-0.32, 0.32)),
        *(ellipse(BLACK, x, -0.44, 0.06, 0.13) for x in (-0.32, 0.32)),
        polygon("#ff6f8f", [(-0.1, -0.3), (0.1, -0.3), (0, -0.17)]),
    ),
    scene_object(
        "duck",
        smooth_polygon("#ff7a00", [(0.66, -0.52), (1.04, -0.42), (0.66, -0.18)]),
        smooth_polygon(
            DUCK,
            [
                (-1.0, -0.05),
                (-0.6, 0.12),
                (0.3, -0.05),
                (0.72, 0.2),
                (0.7, 0.62),
                (0.3, 0.85),
                (-0.35, 0.85),
                (-0.82, 0.55),
            ],
        ),
        ellipse(DUCK, 0.4, -0.42, 0.4, 0.38),
        ellipse("#eba900", -0.15, 0.36, 0.38, 0.2, -12),
        ellipse(BLACK, 0.52, -0.52, 0.08, 0.09),
    ),
    scene_object(
        "fish",
        smooth_polygon(FIN, [(0.0, -0.4), (0.1, -0.78), (-0.4, -0.62), (-0.5, -0.2)]),
        polygon(FIN, [(-0.5, 0.0), (-1.05, -0.55), (-0.9, 0.0), (-1.05, 0.55)]),
        polygon(FIN, [(0.1, 0.4), (-0.25, 0.74), (-0.3, 0.3)]),
        smooth_polygon(
            "#2aa5f5",
            [
                (0.98, 0),
                (0.6, -0.42),
                (0.1, -0.53),
                (-0.4, -0.3),
                (-0.7, 0),
                (-0.4, 0.3),
                (0.1, 0.53),
                (0.6, 0.42),
            ],
        ),
        stroke("#d8f1ff", 0.12, curve([(0.3, -0.42), (0.18, 0.0), (0.3, 0.42)])),
        ellipse(WHITE, 0.6, -0.12, 0.14, 0.14),
        ellipse(BLACK, 0.63, -0.12, 0.07, 0.07),
    ),
    scene_object(
        "flower",
        stroke(STALK, 0.15, curve([(0, -0.2), (0.04, 0.5), (0, 1.0)])),
        ellipse(STALK, 0.36, 0.64, 0.38, 0.15, -32),
        ellipse(STALK, -0.32, 0.76, 0.36, 0.14, 32),
        *(
            ellipse("#b07cff", x, y, 0.38, 0.28, tilt)
            for (x, y), tilt in zip(arc(0, -0.36, 0.5, 0.5, -90, 210, corners=6), range(-90, 211, 60))
        ),
        ellipse("#ffc400", 0, -0.36, 0.29, 0.29),
    ),
    scene_object(
        "mushroom",
        mirrored_polygon("#f5e6c8", [(0, -0.1), (0.28, 0.0), (0.26, 0.5), (0.4, 0.9), (0, 0.95)]),
        ellipse("#d9c49a", 0, 0.18, 0.36, 0.12),
        mirrored_polygon("#e3281c", [(0, -0.95), (0.55, -0.78), (0.95, -0.25), (0.9, 0.1), (0.4, 0.18), (0, 0.2)]),
        ellipse(WHITE, 0.08, -0.58, 0.23, 0.19),
        ellipse(WHITE, -0.5, -0.22, 0.21, 0.21),
        ellipse(WHITE, 0.52, -0.2, 0.2, 0.2),
        ellipse(WHITE, 0.02, -0.04, 0.15, 0.13),
    ),
    scene_object(
        "tree",
        polygon("#7a4518", [(-0.15, 0.1), (0.15, 0.1), (0.26, 1.0), (-0.26, 1.0)]),
        ellipse(CROWN, -0.42, 0.05, 0.44, 0.38),
        ellipse(CROWN, 0.42, 0.05, 0.44, 0.38),
        ellipse(CROWN, 0, -0.42, 0.6, 0.55),
        ellipse(CROWN, 0, 0.05, 0.4, 0.36),
        ellipse("#86e35e", -0.2, -0.58, 0.2, 0.15, -20),
        ellipse("#86e35e", 0.42, -0.04, 0.17, 0.11, -20),
    ),
)
