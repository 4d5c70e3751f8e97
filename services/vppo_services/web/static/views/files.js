// Files that the run left behind, and what it takes to repeat it.

import {address, request, token} from "../api.js";
import {button, h} from "../dom.js";
import {bytes, dateTime} from "../format.js";
import {empty, show} from "../states.js";
import {sayError} from "../toast.js";
import {toYaml} from "../yaml.js";

export class FilesPanel {
  constructor(view) {
    this.view = view;
    this.files = h("section", {class: "card", "aria-labelledby": "files-title"});
    this.manifest = h("section", {class: "card", "aria-labelledby": "manifest-title"});
    this.element = h("div", {class: "files"}, this.files, this.manifest);
    this.load();
  }

  load() {
    show(this.files, () => this.view.get("artifacts"), ({items}) => [
      h("div", {class: "panel-bar"}, h("h2", {id: "files-title"}, "Files"), button("Refresh", {icon: "retry", kind: "quiet", onclick: () => this.load()})),
      items.length ? h("ul", {class: "file-list"}, items.map((item) => this.entry(item))) : empty("No files yet", "Metrics and log come with the first attempt, the report at the end."),
    ]);
    show(this.manifest, () => this.view.get("manifest"), (facts) => [
      h("h2", {id: "manifest-title"}, "To repeat this run"),
      h("pre", {tabindex: "0", "aria-label": "Manifest"}, toYaml(facts)),
    ]);
  }

  entry(item) {
    const href = address(this.view.path("artifacts", ...item.path.split("/")), {uid: this.view.uid}).href;
    const name = item.path.split("/").at(-1);
    // The report opens beside the page, in a sandbox of the server's; other files are saved.
    const isReport = item.path === "report.html";
    const link = h("a", isReport ? {href, target: "_blank", rel: "noopener"} : {href, download: name}, item.path);
    // A plain link cannot carry the token.
    link.addEventListener("click", (event) => {
      if (!token()) return;
      event.preventDefault();
      this.save(item.path, name);
    });
    return h("li", {}, link, h("span", {class: "muted"}, item.mediaType), h("span", {}, bytes(item.sizeBytes)), h("time", {class: "muted", datetime: item.modified}, dateTime(item.modified)));
  }

  async save(path, name) {
    try {
      const response = await request(this.view.path("artifacts", ...path.split("/")), {query: {uid: this.view.uid}});
      const href = URL.createObjectURL(await response.blob());
      h("a", {href, download: name}).click();
      setTimeout(() => URL.revokeObjectURL(href), 60_000);
    } catch (error) {
      sayError(error);
    }
  }
}
