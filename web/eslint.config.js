import hooks from "eslint-plugin-react-hooks";
import tseslint from "typescript-eslint";

export default tseslint.config(
  { ignores: ["dist", "src/lib/api/schema.d.ts", "node_modules"] },
  ...tseslint.configs.strict,
  hooks.configs.flat["recommended-latest"],
  {
    rules: {
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_" }],
      // a warning for the React compiler, which is not used
      "react-hooks/incompatible-library": "off",
      // the wall between server state and components: requests are made in lib/api only
      "no-restricted-globals": ["error", { name: "fetch", message: "ask by api or client of @/lib/api" }],
      "no-restricted-properties": [
        "error",
        { property: "toLocaleString", message: "numbers and dates are written by @/lib/format" },
        { property: "dangerouslySetInnerHTML", message: "text of others is never markup" },
      ],
    },
  },
);
