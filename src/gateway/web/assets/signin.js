// The door for a browser that is not signed in.

import { ask } from "./api.js";
import { find, template } from "./dom.js";

export function signIn(app) {
  document.title = "Mosaic: sign in";
  app.replaceChildren(template("t-signin"));
  const form = find("form", app);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const wrong = find(".wrong", form);
    wrong.textContent = "";
    try {
      await ask("POST", "/login", { token: form.token.value.trim() });
      location.reload();
    } catch (error) {
      wrong.textContent = error.message;
      form.token.select();
    }
  });
  form.token.focus();
}
