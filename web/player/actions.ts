// What a person can do with the picture, in every browser's way.

// Safari's names.
type SafariVideo = HTMLVideoElement & {
  webkitEnterFullscreen?: () => void;
  webkitSetPresentationMode?: (mode: string) => void;
  webkitPresentationMode?: string;
};

export function canFullScreen(video: SafariVideo): boolean {
  return document.fullscreenEnabled || video.webkitEnterFullscreen !== undefined;
}

export async function toggleFullScreen(host: HTMLElement, video: SafariVideo): Promise<void> {
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (host.requestFullscreen) await host.requestFullscreen();
  else video.webkitEnterFullscreen?.();
}

export function canPictureInPicture(video: SafariVideo): boolean {
  return document.pictureInPictureEnabled || video.webkitSetPresentationMode !== undefined;
}

export async function togglePictureInPicture(video: SafariVideo): Promise<void> {
  if (document.pictureInPictureElement) await document.exitPictureInPicture();
  else if (document.pictureInPictureEnabled) await video.requestPictureInPicture();
  else {
    const isIn = video.webkitPresentationMode === "picture-in-picture";
    video.webkitSetPresentationMode?.(isIn ? "inline" : "picture-in-picture");
  }
}

// The picture that is shown now, as a file. False when there is none yet.
export function savePicture(video: HTMLVideoElement, name: string): boolean {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  if (!canvas.width) return false;
  canvas.getContext("2d")!.drawImage(video, 0, 0);
  canvas.toBlob((blob) => blob && saveBlob(blob, name), "image/png");
  return true;
}

function saveBlob(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  const time = new Date().toISOString().slice(0, 19).replace("T", " ").replace(/:/g, ".");
  link.download = `${name} ${time}.png`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}
