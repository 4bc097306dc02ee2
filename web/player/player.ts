// The module that pages include: it defines <culvert-player>.
import { CulvertPlayer } from "./element";

if (!customElements.get("culvert-player")) customElements.define("culvert-player", CulvertPlayer);

export { CulvertPlayer };
