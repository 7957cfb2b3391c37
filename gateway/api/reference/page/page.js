"use strict";

// Swagger UI's own dark colors hang on this class.
const dark = window.matchMedia("(prefers-color-scheme: dark)");
const follow = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", follow);
follow();

window.SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#reference",
  deepLinking: true,
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  // A key is forgotten with the page.
  persistAuthorization: false,
  // Nothing is sent to a validator of others.
  validatorUrl: null,
});
