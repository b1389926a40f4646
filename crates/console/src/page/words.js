// What the logs and the table say, in the words of a helpdesk. Without side effects.

// The reasons for which the authorizer refuses a log-in: what each means for the customer, and what helps.
const ADVICE = {
  'wrong-password': 'The customer sent another password than the one that is stored. Many programs keep an old one: let '
    + 'them delete the saved password and type it. If they do not know it, set a new password.',
  'unknown-user': 'There is no account of this name. Compare the spelling with the customer, also blanks and dots.',
  'disabled': 'The account was disabled. Enable it only if you know why it was, and that the reason is gone.',
  'expired': 'The account had an end, and it is over. Whoever manages the accounts can give it a new one.',
  'banned': 'Too many wrong passwords came from the customer’s address, so it is banned for a while, also with the right '
    + 'one. End the ban below, after the customer has corrected the password.',
  'source-not-allowed': 'The account may only be used from certain addresses, and this was another one. Ask the '
    + 'customer whether their address has changed; whoever manages the accounts can add it.',
  'region-not-allowed': 'The account may not be used in this region. Give the customer the host name of another one.',
  'blocked-name': 'Nobody may use this name: it is one that only bots try.',
  'no-such-method': 'The customer tried a key, and the account has a password, or the other way round. Their program '
    + 'must use what the account has.',
  'other-protocol': 'The customer’s program used another protocol than SFTP. Let them choose SFTP.',
  'duplicate-user': 'Several accounts have this name, so none of them is admitted. Tell those who manage the accounts.',
  'malformed-item': 'The stored account is damaged, so it admits nobody. Tell those who manage the accounts.',
  'unknown-scheme': 'The stored password is damaged. A new password helps.',
  'table-unreachable': 'The accounts could not be read: this is a fault on our side. Tell the person on call.',
  'malformed-event': 'A fault on our side. Tell the person on call.',
  'other-server': 'A fault on our side. Tell the person on call.',
};

// Activities in which something went wrong.
const FAILED = ['log-in-refused', 'log-in-failed', 'handshake-failed', 'connection-rejected', 'upload-broken',
  'download-broken', 'failed'];

const SERVER_ADVICE = {
  'handshake-failed': 'The customer’s program is too old for the encryption that this server asks for. It must be '
    + 'updated.',
  'connection-rejected': 'The server did not take the connection. If it happens again, tell the person on call.',
  'log-in-failed': 'The log-in could not be decided: this is a fault on our side. Tell the person on call.',
  'upload-broken': 'The connection ended during an upload. The customer sends the file again.',
  'download-broken': 'The connection ended during a download. The customer fetches the file again.',
};

export const failed = (event) => FAILED.includes(event.activity);

function advice(event) {
  if (event.log === 'authorizer' && Object.hasOwn(ADVICE, event.message)) {
    return ADVICE[event.message];
  }
  return Object.hasOwn(SERVER_ADVICE, event.activity) ? SERVER_ADVICE[event.activity] : '';
}

// A server also logs each refusal of the authorizer, without the reason: those are left out where the reason is known.
export function once(events) {
  const known = new Set(events.filter((event) => event.log === 'authorizer').map((event) => event.activity));
  return events.filter((event) => event.log !== 'server' || !known.has(event.activity));
}

// The reasons among failed events, the newest first, each with how often it was and where from.
export function reasons(events) {
  const groups = new Map();
  for (const event of once(events).filter(failed)) {
    const what = sentence(event.what);
    const group = groups.get(what) ?? { what, count: 0, sources: new Set(), regions: new Set(), advice: advice(event) };
    group.count += 1;
    group.last = event.time;
    group.message = event.message;
    if (event.source) { group.sources.add(event.source); }
    group.regions.add(event.region);
    groups.set(what, group);
  }
  return [...groups.values()].sort((one, other) => (one.last < other.last ? 1 : -1));
}

export function sentence(text) {
  const words = String(text).replace('log-in refused by the authorizer: ', 'Log-in refused: ');
  return words.charAt(0).toUpperCase() + words.slice(1);
}

const FORM = new Intl.DateTimeFormat(undefined, {
  year: 'numeric', month: 'short', day: 'numeric', hour: '2-digit', minute: '2-digit', second: '2-digit',
  timeZoneName: 'short',
});

// A time of the logs as people here read it.
export function time(text) {
  const date = new Date(text);
  return Number.isNaN(date.getTime()) ? String(text) : FORM.format(date);
}

export const counted = (number, one, many) => `${number} ${number === 1 ? one : many}`;

// The state of a region: its server, and what is not as it should be.
export function region(row, resources) {
  const faults = resources.filter((one) => one.state !== 'ready');
  if (row.state === 'ONLINE') {
    const text = faults.length === 0 ? 'Customers can log in' : 'Online, with faults';
    return { text, tone: faults.length === 0 ? 'good' : 'warn', faults };
  }
  if (!row.server) {
    return faults.length === 0 ? { text: 'Stands by, without a server', tone: 'good', faults }
      : { text: 'Stands by, with faults', tone: 'warn', faults };
  }
  return { text: `The server is ${row.state ?? 'in an unknown state'}`, tone: 'bad', faults };
}
