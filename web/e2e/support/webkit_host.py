#!/usr/bin/python3
"""A bare WebKitGTK window for tests. Commands on stdin: ``resize WIDTH HEIGHT``, ``quit``."""

import sys

import gi

gi.require_version("Gtk", "3.0")
gi.require_version("WebKit2", "4.1")
from gi.repository import Gdk, GLib, Gtk, WebKit2  # noqa: E402

WIDTH, HEIGHT = 1280, 800


def settings() -> WebKit2.Settings:
    """Return settings for inspection and steady pixels: software GL would be three times slower than no GL."""
    made = WebKit2.Settings()
    made.set_enable_developer_extras(True)
    made.set_enable_fullscreen(True)
    made.set_hardware_acceleration_policy(WebKit2.HardwareAccelerationPolicy.NEVER)
    return made


def park_pointer() -> None:
    """Move the real pointer off the window, so that it hovers over nothing."""
    screen = Gdk.Screen.get_default()
    pointer = Gdk.Display.get_default().get_default_seat().get_pointer()
    pointer.warp(screen, screen.get_width() - 1, screen.get_height() - 1)


def main() -> None:
    """Show the window, say ``ready``, obey until ``quit`` or the end of stdin."""
    view = WebKit2.WebView(web_context=WebKit2.WebContext.new_ephemeral(), settings=settings())
    window = Gtk.Window(type=Gtk.WindowType.TOPLEVEL)
    window.set_decorated(False)
    window.set_default_size(WIDTH, HEIGHT)
    window.add(view)
    window.connect("destroy", Gtk.main_quit)
    window.show_all()
    window.move(0, 0)
    # Without a window manager nobody else makes the window active.
    window.get_window().focus(Gdk.CURRENT_TIME)
    park_pointer()
    view.grab_focus()
    view.load_uri("about:blank")

    def obey(_channel: object, _condition: object) -> bool:
        words = sys.stdin.readline().split()
        if not words or words[0] == "quit":
            Gtk.main_quit()
            return False
        if words[0] == "resize":
            window.resize(int(words[1]), int(words[2]))
        return True

    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, obey)
    print("ready", flush=True)
    Gtk.main()


main()
