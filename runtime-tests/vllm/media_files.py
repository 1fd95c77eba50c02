"""Writes pictures, sounds and videos of several kinds into a folder, for the tests of media with a real vLLM.

Usage: media_files.py FOLDER
"""

import sys
import wave
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

folder = Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
random = np.random.default_rng(1)


def pixels(width: int, height: int, channels: int = 3) -> np.ndarray:
    """Blocks of random colours: content that neither PNG nor JPEG loses."""
    blocks = random.integers(0, 256, (height // 8 + 1, width // 8 + 1, channels), dtype=np.uint8)
    return np.kron(blocks, np.ones((8, 8, 1), dtype=np.uint8))[:height, :width]


def image(name: str, width: int, height: int, mode: str = "RGB", **options) -> None:
    picture = Image.fromarray(pixels(width, height))
    if mode == "RGBA":
        picture.putalpha(Image.fromarray(pixels(width, height, 1)[:, :, 0]))
    picture.convert(mode).save(folder / name, **options)


def turned(name: str, width: int, height: int, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image(name, width, height, exif=exif)


def sound(name: str, seconds: float, rate: int = 16000, channels: int = 1) -> None:
    samples = random.integers(-8000, 8000, (int(rate * seconds), channels), dtype=np.int16)
    with wave.open(str(folder / name), "wb") as file:
        file.setparams((channels, 2, rate, 0, "NONE", ""))
        file.writeframes(samples.tobytes())


def video(name: str, width: int, height: int, seconds: int, rate: int = 8) -> None:
    writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter_fourcc(*"mp4v"), rate, (width, height))
    for _ in range(seconds * rate):
        writer.write(pixels(width, height))
    writer.release()


image("one.png", 224, 224)
image("two.png", 224, 224)
image("wide.jpg", 300, 200)
image("large.webp", 1280, 720)
image("grey.png", 140, 90, "L")
image("palette.png", 140, 90, "P")
image("palette.gif", 140, 90, "P")
image("clear.png", 140, 90, "RGBA")
image("print.jpg", 140, 90, "CMYK")
image("bitmap.bmp", 98, 61)
image("scan.tiff", 98, 61)
turned("turned.jpg", 300, 100, 6)
sound("one.wav", 0.5)
sound("two.wav", 0.5)
sound("music.wav", 1.3, 44100, 2)
video("one.mp4", 112, 112, 2)
video("two.mp4", 112, 112, 2)
video("long.mp4", 168, 112, 5)
