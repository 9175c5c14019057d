import { beforeEach, expect, test, vi } from "vitest";

import { isField, Registry } from "./registry";

let registry: Registry;
const press = (key: string, options: KeyboardEventInit & { target?: Element; keyCode?: number } = {}) => {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, cancelable: true, ...options });
  if (options.keyCode) Object.defineProperty(event, "keyCode", { value: options.keyCode });
  Object.defineProperty(event, "getModifierState", {
    value: (name: string) => name === "AltGraph" && Boolean(options.modifierAltGraph),
  });
  (options.target ?? document.body).addEventListener(
    "keydown",
    (heard) => registry.handle(heard as KeyboardEvent),
    {
      once: true,
    },
  );
  (options.target ?? document.body).dispatchEvent(event);
  return event;
};

const shortcut = (keys: string, more = {}) => ({ keys, label: keys, group: "test", run: vi.fn(), ...more });

beforeEach(() => {
  registry = new Registry();
  document.body.innerHTML = "";
});

test("a key runs what was registered last for it, until that goes", () => {
  const [first, second] = [shortcut("j"), shortcut("j")];
  registry.add([first]);
  const remove = registry.add([second]);
  press("j");
  remove();
  press("J");
  expect(second.run).toHaveBeenCalledTimes(1);
  expect(first.run).toHaveBeenCalledTimes(1);
});

test("two keys in a row are a shortcut, and the second alone is not", () => {
  const go = shortcut("g i");
  registry.add([go]);
  press("i");
  press("g");
  press("x");
  press("i");
  expect(go.run).not.toHaveBeenCalled();
  press("g");
  press("i");
  expect(go.run).toHaveBeenCalledTimes(1);
});

test("nothing fires in a field, but what says so", () => {
  document.body.innerHTML = "<input><textarea></textarea><div contenteditable='true'><b></b></div>";
  const [letter, palette] = [shortcut("e"), shortcut("Mod+k", { inFields: true })];
  registry.add([letter, palette]);
  for (const target of document.querySelectorAll("input, textarea, b")) {
    expect(isField(target)).toBe(true);
    press("e", { target });
    press("k", { target, ctrlKey: true });
  }
  expect(letter.run).not.toHaveBeenCalled();
  expect(palette.run).toHaveBeenCalledTimes(3);
});

test("nothing fires while a letter is composed, or with AltGraph or Alt", () => {
  const letter = shortcut("e");
  registry.add([letter, shortcut("Mod+e")]);
  press("e", { isComposing: true });
  press("e", { keyCode: 229 });
  press("e", { modifierAltGraph: true });
  press("e", { altKey: true });
  // Windows reports AltGraph as Control and Alt
  press("e", { ctrlKey: true, altKey: true });
  press("e", { ctrlKey: true });
  expect(letter.run).not.toHaveBeenCalled();
});

test("what lies under a dialog has no keys meanwhile", () => {
  const letter = shortcut("j");
  registry.add([letter]);
  document.body.innerHTML = "<div role='dialog'></div>";
  press("j");
  expect(letter.run).not.toHaveBeenCalled();
});

test("Enter on a button is the button's", () => {
  document.body.innerHTML = "<button>x</button>";
  const open = shortcut("Enter");
  registry.add([open]);
  const event = press("Enter", { target: document.querySelector("button") ?? document.body });
  expect(open.run).not.toHaveBeenCalled();
  expect(event.defaultPrevented).toBe(false);
  press("Enter");
  expect(open.run).toHaveBeenCalledTimes(1);
});
