/** Where a picture lies on the screen: screen = picture * scale + offset, in CSS pixels. */
import type { Box } from "../api/types";
import type { Point, Size } from "./boxes";

export interface View {
  scale: number;
  x: number;
  y: number;
}

export interface Rect {
  left: number;
  top: number;
  width: number;
  height: number;
}

export const MAX_ZOOM = 8;

/** The view that shows the whole picture, centred, as large as the frame allows. */
export function fit(picture: Size, frame: Size): View {
  if (picture.width <= 0 || picture.height <= 0) return { scale: 1, x: 0, y: 0 };
  const scale = Math.min(frame.width / picture.width, frame.height / picture.height);
  return {
    scale,
    x: (frame.width - picture.width * scale) / 2,
    y: (frame.height - picture.height * scale) / 2,
  };
}

/** A box of the picture on the screen. */
export function boxToScreen([x1, y1, x2, y2]: Box, { scale, x, y }: View): Rect {
  return {
    left: x1 * scale + x,
    top: y1 * scale + y,
    width: (x2 - x1) * scale,
    height: (y2 - y1) * scale,
  };
}

/** A point of the screen, relative to the frame, in pixels of the picture. */
export function pointToPicture(point: Point, { scale, x, y }: View): Point {
  return { x: (point.x - x) / scale, y: (point.y - y) / scale };
}

/** A distance on the screen in pixels of the picture. */
export function distanceToPicture(by: Point, { scale }: View): Point {
  return { x: by.x / scale, y: by.y / scale };
}

/** Zoom so that what lies under a screen point stays there; between whole picture and MAX_ZOOM. */
export function zoomAt(
  view: View,
  at: Point,
  factor: number,
  picture: Size,
  frame: Size,
): View {
  const whole = fit(picture, frame).scale;
  const scale = Math.min(Math.max(view.scale * factor, whole), whole * MAX_ZOOM);
  const ratio = scale / view.scale;
  const moved = { scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio };
  return keepInside(moved, picture, frame);
}

/** Move the view, without losing the picture from the frame. */
export function pan(view: View, by: Point, picture: Size, frame: Size): View {
  return keepInside({ ...view, x: view.x + by.x, y: view.y + by.y }, picture, frame);
}

/** A side shorter than the frame is centred; a longer one covers the frame. */
export function keepInside(view: View, picture: Size, frame: Size): View {
  const along = (offset: number, length: number, room: number) =>
    length <= room ? (room - length) / 2 : Math.min(0, Math.max(room - length, offset));
  return {
    scale: view.scale,
    x: along(view.x, picture.width * view.scale, frame.width),
    y: along(view.y, picture.height * view.scale, frame.height),
  };
}

/** A box as shares of its picture, for pictures that CSS alone sizes. */
export function boxToPercent([x1, y1, x2, y2]: Box, { width, height }: Size): Rect {
  return {
    left: (x1 / width) * 100,
    top: (y1 / height) * 100,
    width: ((x2 - x1) / width) * 100,
    height: ((y2 - y1) / height) * 100,
  };
}
