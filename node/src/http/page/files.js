// Files that are chosen for a message, and those that messages carry.

const FILES_MAX = 10;

/** Bytes of the files of one message: in base64 they become a third more. */
const FILES_BYTES_MAX = 22_000_000;

/** How long an upload may take. */
const UPLOAD_MAX_MS = 60_000;

/** Why these cannot be sent; undefined: they can. */
function filesProblem(files) {
  if (FILES_MAX < files.length) return `At most ${FILES_MAX} files fit into a message.`;
  const bytes = files.reduce((sum, it) => sum + it.size, 0);
  if (FILES_BYTES_MAX < bytes) return `At most ${sizeText(FILES_BYTES_MAX)} fit into a message.`;
  return undefined;
}

/** Reads them as they are sent. */
function readFiles(files) {
  return Promise.all(files.map(readFile));
}

function readFile(file) {
  return new Promise((done, fail) => {
    const reader = new FileReader();
    reader.addEventListener("load", () =>
      done({ name: file.name, type: file.type, data: reader.result, size: file.size }),
    );
    reader.addEventListener("error", () => fail(reader.error));
    reader.readAsDataURL(file);
  });
}

function sizeText(bytes) {
  if (bytes < 1_000) return `${bytes} B`;
  return bytes < 1_000_000 ? `${Math.round(bytes / 1_000)} kB` : `${(bytes / 1_000_000).toFixed(1)} MB`;
}

/** A list of files: links where there is something to load, and that from the web only. */
function fileList(files) {
  const list = element("ul", "files");
  for (const { name, size, url } of files) {
    const isLink = /^https?:\/\//.test(url ?? "");
    const shown = element(isLink ? "a" : "span", "", name);
    if (isLink) {
      shown.href = url;
      shown.download = name;
      shown.rel = "noreferrer";
    }
    const line = element("li");
    line.append(shown, element("span", "size", sizeText(size)));
    list.append(line);
  }
  return list;
}
