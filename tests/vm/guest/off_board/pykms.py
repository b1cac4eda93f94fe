"""In place of the library of picamera2's preview on a screen, which no gate opens."""


class PixelFormat:
    RGB888 = BGR888 = XRGB8888 = XBGR8888 = YUV420 = YVU420 = NV12 = None
