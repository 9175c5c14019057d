import common from "./common.json";
import inbox from "./inbox.json";
import keys from "./keys.json";
import nav from "./nav.json";
import problems from "./problems.json";
import roles from "./roles.json";
import session from "./session.json";
import states from "./states.json";

export default {
  common,
  inbox,
  keys,
  nav,
  problems,
  roles,
  session,
  states,
};
