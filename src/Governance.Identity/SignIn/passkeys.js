// The one script of these pages: browsers let only scripts ask an authenticator. Without it the buttons stay hidden.
"use strict";
for (const form of document.querySelectorAll("form[data-passkey]")) {
  const create = form.dataset.passkey === "create";
  const credential = window.PublicKeyCredential;
  const parse = create ? credential?.parseCreationOptionsFromJSON : credential?.parseRequestOptionsFromJSON;
  if (!parse) {
    continue;
  }
  form.hidden = false;
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = form.querySelector("button");
    const problem = form.querySelector("[role=alert]");
    button.disabled = true;
    problem.hidden = true;
    try {
      const publicKey = parse.call(credential, JSON.parse(form.dataset.options));
      const answer = await (create
        ? navigator.credentials.create({ publicKey })
        : navigator.credentials.get({ publicKey }));
      form.elements.answer.value = JSON.stringify(answer.toJSON());
      form.submit();
    } catch (error) {
      problem.textContent =
        error.name === "InvalidStateError"
          ? "This device has a passkey for you already."
          : "No passkey was used. Try again, or choose another way.";
      problem.hidden = false;
      button.disabled = false;
      button.focus();
    }
  });
}
