"use strict";

const say = (text) => { document.getElementById("said").textContent = text; };

async function claim() {
  const code = location.hash.slice(1);
  // Out of the address and the history at once: it is worth something until it is spent.
  history.replaceState(null, "", location.pathname);
  if (!code) {
    say("This page wants a sign-in link. Run `mosaic link` where Mosaic runs, and open what it prints.");
    return;
  }
  try {
    const answer = await fetch("/claim", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ code }),
    });
    const told = await answer.json();
    if (answer.ok) return location.replace("/");
    say(told.error.message);
  } catch {
    say("Mosaic cannot be reached. See that it runs, then open the link again.");
  }
  // It may be that this browser is signed in already.
  document.getElementById("on").hidden = false;
}

claim();
