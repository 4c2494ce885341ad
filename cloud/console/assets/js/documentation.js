// Starts Swagger UI on the page of the API's documentation; its bundle is loaded before this.
window.SwaggerUIBundle({
  url: document.getElementById("documentation").dataset.openapi,
  dom_id: "#documentation",
  deepLinking: true,
  // Scores of chapters are found faster closed, and Swagger UI draws only the first of very many open ones.
  docExpansion: "none",
  filter: true,
  validatorUrl: null,
});
