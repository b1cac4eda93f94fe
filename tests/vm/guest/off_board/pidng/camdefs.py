"""What picamera2 imports of it."""


class Picamera2Camera: ...
