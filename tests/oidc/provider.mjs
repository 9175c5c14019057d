// A third party's identity provider (oidc-provider) on a free port of this machine, in which whoever a test names logs in without typing anything.
// `node provider.mjs KIT`: KIT is the folder that `.ci/oidc-provider` makes. Prints its address once it listens. `POST /_test` changes it:
//   person: { sub, email, email_verified, amr }   who logs in next; amr: by what means
//   lie: { claims, alg, kid }                     what its ID tokens say from now on, signed by its own key all the same; null: the truth
//   rotate: true                                  new keys in place of the old ones
import {
  createHmac,
  createSign,
  generateKeyPairSync,
  randomUUID,
} from "node:crypto";
import { createServer } from "node:http";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

const [kit] = process.argv.slice(2);
// its own output is the address alone: nobody reads on
console.info = console.error;
const { default: Provider } = await import(
  pathToFileURL(join(kit, "node_modules/oidc-provider/lib/index.js"))
);
const SECRET = "canary-client-secret";
const people = new Map();
let person = null;
let lie = null;
let keys = null;
let handle = null;

function newKeys() {
  const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const jwk = {
    ...privateKey.export({ format: "jwk" }),
    kid: randomUUID(),
    use: "sig",
    alg: "RS256",
  };
  return { privateKey, jwk };
}

const encode = (value) =>
  Buffer.from(JSON.stringify(value)).toString("base64url");

/** The token with other contents. */
function said(token, { claims = {}, alg = "RS256", kid = keys.jwk.kid }) {
  const payload = JSON.parse(
    Buffer.from(token.split(".")[1], "base64url").toString(),
  );
  const now = Math.floor(Date.now() / 1000);
  for (const [name, value] of Object.entries(claims)) {
    if (value === null) delete payload[name];
    else
      payload[name] =
        typeof value === "string" && /^now[+-]\d+$/.test(value)
          ? now + Number(value.slice(3))
          : value;
  }
  const text = `${encode({ alg, kid, typ: "JWT" })}.${encode(payload)}`;
  if (alg === "none") return `${text}.`;
  const signature =
    alg === "HS256"
      ? createHmac("sha256", SECRET).update(text).digest()
      : createSign("sha256").update(text).sign(keys.privateKey);
  return `${text}.${signature.toString("base64url")}`;
}

function provider(issuer) {
  keys = newKeys();
  const made = new Provider(issuer, {
    clients: [
      {
        client_id: "paloma",
        client_secret: SECRET,
        redirect_uris: ["http://127.0.0.1/"],
        grant_types: ["authorization_code"],
        response_types: ["code"],
      },
    ],
    jwks: { keys: [keys.jwk] },
    cookies: { keys: ["a key of a test"] },
    pkce: { required: () => true },
    claims: {
      openid: ["sub", "amr", "auth_time"],
      email: ["email", "email_verified"],
      profile: ["name"],
    },
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_, { uid }) => `/interaction/${uid}` },
    findAccount: (_, sub) => ({
      accountId: sub,
      claims: () => ({ sub, ...people.get(sub) }),
    }),
    // nobody is asked what may be told
    async loadExistingGrant({ oidc }) {
      const grant = new oidc.provider.Grant({
        clientId: oidc.client.clientId,
        accountId: oidc.session.accountId,
      });
      grant.addOIDCScope("openid email profile");
      await grant.save();
      return grant;
    },
  });
  // tests listen on whatever port is free
  made.Client.prototype.redirectUriAllowed = () => true;
  made.use(async (context, next) => {
    await next();
    const token = context.oidc?.route === "token" && context.body?.id_token;
    if (token && lie) context.body.id_token = said(token, lie);
  });
  const callback = made.callback();
  return async (request, response) => {
    if (!request.url.startsWith("/interaction/"))
      return callback(request, response);
    const { sub, amr } = person;
    await made.interactionFinished(request, response, {
      login: { accountId: sub, amr },
    });
  };
}

async function test(request, response) {
  let body = "";
  for await (const part of request) body += part;
  const asked = JSON.parse(body);
  if (asked.person) {
    person = asked.person;
    const { sub, email, email_verified } = person;
    people.set(sub, { email, email_verified });
  }
  if (asked.lie !== undefined) lie = asked.lie;
  if (asked.rotate) handle = provider(issuer);
  response.end("{}");
}

const server = createServer((request, response) => {
  const answered =
    request.url === "/_test"
      ? test(request, response)
      : handle(request, response);
  answered?.catch?.((error) => {
    console.error(error);
    response.statusCode = 500;
    response.end(String(error));
  });
});
await new Promise((done) => server.listen(0, "127.0.0.1", done));
const issuer = `http://127.0.0.1:${server.address().port}`;
handle = provider(issuer);
console.log(issuer);
