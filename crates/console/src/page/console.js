// The page. Text of customers is only ever text: nothing here becomes markup.

import { counted, failed, once, reasons, region, sentence, time } from '/words.js';

const byId = (id) => document.getElementById(id);

// The token of the address, which is taken out of it at once: it stays with this tab.
function token() {
  const match = /^#token=([0-9a-f]{64})$/.exec(location.hash);
  if (match) {
    sessionStorage.setItem('token', match[1]);
    history.replaceState(null, '', '/');
  }
  return sessionStorage.getItem('token') ?? '';
}
const TOKEN = token();
// The address of another console, opened in this tab.
addEventListener('hashchange', () => {
  if (location.hash.startsWith('#token=')) { location.reload(); }
});
let about = { write: false };

function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === 'onclick') { made.addEventListener('click', value); } else { made.setAttribute(key, value); }
  }
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ''));
  return made;
}

const from = (event) => (event.source ? ` from ${event.source}` : '');
const when = (text) => element('time', { datetime: text }, time(text));

class Problem extends Error {
  constructor(answer, status) {
    super(answer?.error?.error ?? 'the answer is not what this page expects');
    this.hint = answer?.error?.hint ?? '';
    this.causes = answer?.error?.causes ?? [];
    this.reason = answer?.error?.reason ?? '';
    this.answer = answer;
    this.status = status;
  }
}

async function fetched(path, body, signal) {
  const options = { headers: { 'x-sftpctl-token': TOKEN }, cache: 'no-store', signal };
  if (body !== undefined) {
    options.method = 'POST';
    options.headers['content-type'] = 'application/json';
    options.body = JSON.stringify(body);
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === 'AbortError') { throw error; }
    const hint = 'start it again, and open the new address';
    throw new Problem({ error: { error: 'the console does not answer: it has ended', hint } }, 0);
  }
  const answer = await response.json().catch(() => null);
  if (!response.ok || !answer) { throw new Problem(answer, response.status); }
  return answer;
}

// The line of an answer with this schema: a command may print others before.
function of(answer, schema) {
  const line = answer.answers.find((one) => one.schema === `sftpctl/${schema}`);
  if (!line) { throw new Problem(null, 200); }
  return line;
}

const query = (values) => new URLSearchParams(values).toString().replaceAll('+', '%20');

// An error, in the words of the command.
function problem(error) {
  const hint = error.hint ? element('p', {}, sentence(error.hint)) : null;
  const causes = (error.causes ?? []).map((cause) => element('p', {}, cause));
  const title = element('strong', {}, sentence(error.message));
  return element('div', { class: 'problem', role: 'alert' }, title, ...causes, hint);
}

// What could not be read, and other remarks of a command.
function remarks(...answers) {
  const lines = answers.flatMap((answer) => answer?.remarks ?? []).map((line) => line.replace(/^(warning|note): /, ''));
  const unread = answers.flatMap((answer) => answer?.answers ?? []).flatMap((one) => one.unread ?? []);
  for (const one of unread) {
    const why = one.missing ? 'there is no log group' : one.error ?? '';
    lines.push(`the log of ${one.region} could not be read: ${why}`);
  }
  return [...new Set(lines)].map((line) => element('p', { class: 'warning' }, sentence(line)));
}

// The commands that gave the answers, for those who go on at a terminal.
function commands(...answers) {
  const lines = answers.map((answer) => answer?.command).filter(Boolean);
  if (lines.length === 0) { return null; }
  const summary = element('summary', {}, 'The same on the command line');
  return element('details', {}, summary, element('pre', {}, lines.join('\n')));
}

// Asks before a change. The answer is whether to go on; the focus goes back to where it was.
let decide = null;

function confirmed(title, text, yes) {
  byId('confirm-title').textContent = title;
  byId('confirm-text').textContent = text;
  byId('confirm-yes').textContent = yes;
  byId('confirm').showModal();
  byId('confirm-no').focus();
  return new Promise((done) => { decide = done; });
}

function decided(answer) {
  byId('confirm').close();
  decide?.(answer);
  decide = null;
}
byId('confirm-yes').addEventListener('click', () => decided(true));
byId('confirm-no').addEventListener('click', () => decided(false));
byId('confirm').addEventListener('cancel', (event) => {
  event.preventDefault();
  decided(false);
});
// A browser may close it without asking. The event comes later, when the next question may be open.
byId('confirm').addEventListener('close', () => {
  if (!byId('confirm').open) { decided(false); }
});

// ---- Customer

let search = null;

byId('find').addEventListener('submit', (event) => {
  event.preventDefault();
  find(byId('who').value.trim());
});

async function find(who) {
  search?.abort();
  search = new AbortController();
  const { signal } = search;
  const [status, place] = [byId('find-status'), byId('found')];
  place.replaceChildren();
  if (who === '') { return; }
  status.textContent = 'Looking for the customer …';
  try {
    const found = await account(who, signal);
    status.textContent = '';
    show(found, signal);
  } catch (error) {
    if (error.name === 'AbortError') { return; }
    status.textContent = '';
    place.replaceChildren(problem(error));
    // Whoever types a wrong name is in the logs under that name.
    if (error.answer?.command) { await unknown(who, place, signal); }
  }
}

// A number is an organisation's, or else a user name of digits.
async function account(who, signal) {
  const asked = (values) => answered(`/api/account?${query(values)}`, signal);
  if (!/^[0-9]{1,18}$/.test(who)) { return asked({ username: who }); }
  try {
    return await asked({ orgid: who });
  } catch (error) {
    if (!error.answer?.command) { throw error; }
    return asked({ username: who }).catch(() => { throw error; });
  }
}

// The answer of a command without an error.
async function answered(path, signal) {
  const answer = await fetched(path, undefined, signal);
  if (answer.error) { throw new Problem(answer, 200); }
  return answer;
}

async function unknown(who, place, signal) {
  const since = byId('since').value;
  const status = byId('find-status');
  status.textContent = 'Looking for refused log-ins of this name …';
  try {
    const answer = await fetched(`/api/events?${query({ username: who, since, failed: '1' })}`, undefined, signal);
    const list = reasons(answer.answers.filter((one) => one.activity));
    if (list.length > 0) {
      place.append(element('div', { class: 'card' }, element('h3', {}, `Log-ins that were tried as ${who}`),
        reasonList(list), commands(answer)));
    }
    status.textContent = list.length > 0 ? '' : 'No log-in of this name was tried in this time.';
  } catch (error) {
    if (error.name !== 'AbortError') { status.textContent = ''; place.append(problem(error)); }
  }
}

function standing(found) {
  if (found.status === 'disabled') { return ['Disabled', 'bad']; }
  if (found.expired) { return ['Expired', 'bad']; }
  if ((found.faults ?? []).length > 0) { return ['Damaged', 'bad']; }
  return ['Active', 'good'];
}

function facts(found) {
  const list = element('dl');
  const add = (name, value) => {
    if (value) { list.append(element('dt', {}, name), element('dd', {}, value)); }
  };
  add('Organisation', String(found.orgid));
  add('Home folder', found.home);
  add('Logs in with', [found.password ? 'a password' : '', found.publicKeys?.length
    ? counted(found.publicKeys.length, 'key', 'keys') : ''].filter(Boolean).join(' and '));
  add('Only from', (found.allowed ?? []).join(', '));
  add('Only in', (found.regions ?? []).join(', '));
  add(found.expired ? 'Ended' : 'Ends', found.expires);
  add('Changed', found.updated ? when(found.updated) : '');
  add('Note', found.note);
  for (const fault of found.faults ?? []) { add('Fault', fault); }
  return list;
}

const named = (found) => `${found.username} (organisation ${found.orgid})`;

// Shows a customer, and fills in what is read of the logs.
function show(answer, signal) {
  const found = of(answer, 'account/1');
  const [text, tone] = standing(found);
  const title = element('h3', { id: 'found-title', tabindex: '-1' }, found.username);
  const result = element('div', { id: 'result' });
  const [last, refused, events] = ['last', 'refused', 'events'].map((id) => element('div', { id }));
  const more = element('div', { id: 'more' });
  for (const [place, what] of [[last, 'last log-in and upload'], [refused, 'refused log-ins'], [events, 'events']]) {
    place.append(element('p', { role: 'status', class: 'status' }, `Reading ${what} …`));
  }
  byId('found').replaceChildren(element('article', { class: 'card', 'aria-labelledby': 'found-title' },
    element('div', { class: 'title' }, title, element('span', { class: `badge ${tone}` }, text)),
    facts(found), ...remarks(answer), actions(found), result,
    element('h4', {}, 'Last seen'), last, element('h4', {}, 'Why log-ins were refused'), refused,
    element('h4', {}, 'What happened'), events, more));
  title.focus();
  read(found, { last, refused, events, more }, answer, signal);
}

async function read(found, places, first, signal) {
  const since = byId('since').value;
  const asked = { username: found.username };
  const part = async (place, path, fill) => {
    try {
      const answer = await fetched(path, undefined, signal);
      place.replaceChildren(...(answer.error ? [problem(new Problem(answer, 200))] : []), ...fill(answer));
      return answer;
    } catch (error) {
      if (error.name !== 'AbortError') { place.replaceChildren(problem(error)); }
      return null;
    }
  };
  const answers = await Promise.all([
    part(places.last, `/api/activity?${query(asked)}`, seen),
    part(places.refused, `/api/events?${query({ ...asked, since, failed: '1' })}`, refusals),
    part(places.events, `/api/events?${query({ ...asked, since })}`, happened),
  ]);
  if (!signal.aborted) { places.more.replaceChildren(commands(first, ...answers) ?? ''); }
}

function seen(answer) {
  const activity = answer.answers.find((one) => 'lastLogIn' in one);
  if (!activity) { return []; }
  const list = element('dl');
  for (const [name, event] of [['Last log-in', activity.lastLogIn], ['Last upload', activity.lastUpload]]) {
    const value = event
      ? [when(event.time), element('br'), `${sentence(event.what)}, in ${event.region}${from(event)}`]
      : ['None since ', when(activity.since)];
    list.append(element('dt', {}, name), element('dd', {}, ...value));
  }
  return [list, ...remarks(answer)];
}

function reasonList(list) {
  return element('ul', { class: 'rows' }, ...list.map((reason) => element('li', {},
    element('strong', {}, reason.what),
    element('p', { class: 'soft' }, `${counted(reason.count, 'time', 'times')}, last `, when(reason.last),
      reason.sources.size > 0 ? `, from ${[...reason.sources].slice(-5).join(', ')}` : '',
      `, in ${[...reason.regions].join(', ')}`),
    reason.advice ? element('p', {}, reason.advice) : null,
    reason.message === 'banned' ? element('p', {}, element('a', { href: '#bots' }, 'To the bans')) : null)));
}

function refusals(answer) {
  const list = reasons(answer.answers.filter((one) => one.activity));
  const none = element('p', { class: 'fine' }, 'No log-in of this name was refused in this time.');
  return [list.length > 0 ? reasonList(list) : answer.error ? '' : none, ...remarks(answer)];
}

function happened(answer) {
  const events = once(answer.answers.filter((one) => one.activity)).reverse();
  const left = answer.answers.find((one) => one.leftOut > 0);
  if (events.length === 0) { return answer.error ? [] : [element('p', {}, 'Nothing in this time.')]; }
  const row = (event) => element('li', {}, when(event.time), element('span', {},
    failed(event) ? element('strong', {}, sentence(event.what)) : sentence(event.what),
    ' ', element('span', { class: 'soft' }, `${event.region}${from(event)}`)));
  return [element('ol', { class: 'rows events', reversed: '' }, ...events.map(row)),
    left ? element('p', { class: 'soft' }, `${counted(left.leftOut, 'older event is', 'older events are')} not shown.`)
      : ''];
}

function actions(found) {
  if (!about.write) {
    return element('p', { class: 'soft' }, 'This console only reads. To set a new password or to disable an account, it '
      + 'must be started with --write.');
  }
  const isDisabled = found.status === 'disabled';
  return element('div', { class: 'actions' },
    element('button', { type: 'button', onclick: (event) => reset(found, event.currentTarget) }, 'Set a new password'),
    element('button', { type: 'button', onclick: (event) => turn(found, !isDisabled, event.currentTarget) },
      isDisabled ? 'Enable the account' : 'Disable the account'));
}

// Carries out a change with its button disabled, and shows why it failed.
async function changed(button, path, body, place) {
  button.disabled = true;
  // Nobody else is looked for meanwhile, so that the answer is shown with whom it is about.
  byId('find').inert = true;
  place.replaceChildren(element('p', { role: 'status', class: 'status' }, 'Working …'));
  try {
    const answer = await fetched(path, body);
    if (answer.error) { throw new Problem(answer, 200); }
    place.replaceChildren();
    return answer;
  } catch (error) {
    place.replaceChildren(problem(error));
    return null;
  } finally {
    button.disabled = false;
    byId('find').inert = false;
  }
}

async function reset(found, button) {
  const text = `${named(found)} gets a new password, which is shown to you once. The old one stops working at once; `
    + 'sessions that are open go on.';
  if (!await confirmed(`New password for ${found.username}?`, text, 'Set a new password')) { return; }
  const answer = await changed(button, '/api/password', { username: found.username }, byId('result'));
  const password = answer?.answers.find((one) => one.generatedPassword)?.generatedPassword;
  if (password) { reveal(found, password); }
}

// A new password, until it is hidden or another customer is shown.
function reveal(found, password) {
  const place = byId('result');
  const field = element('input', { id: 'new-password', type: 'text', readonly: '', autocomplete: 'off',
    spellcheck: 'false', 'aria-describedby': 'new-password-help' });
  field.value = password;
  const told = element('p', { role: 'status', class: 'status' });
  const copy = element('button', { type: 'button', onclick: async () => {
    try {
      await navigator.clipboard.writeText(password);
      told.textContent = 'Copied.';
    } catch {
      field.select();
      told.textContent = 'Selected: copy it with the keyboard.';
    }
  } }, 'Copy the password');
  const hide = element('button', { type: 'button', onclick: () => {
    place.replaceChildren();
    byId('found-title').focus();
  } }, 'Hide the password');
  place.replaceChildren(element('div', { class: 'password' },
    element('label', { for: 'new-password' }, `New password of ${named(found)}`), field,
    element('p', { id: 'new-password-help', class: 'help' }, 'It is shown this once, and stored nowhere in clear. Give '
      + 'it to the customer by another way than their mail.'),
    element('div', { class: 'actions' }, copy, hide), told));
  field.focus();
  field.select();
}

async function turn(found, off, button) {
  const [title, text, yes] = off
    ? [`Disable ${found.username}?`, `${named(found)} is refused from now on; sessions that are open go on. Files are `
      + 'kept.', 'Disable the account']
    : [`Enable ${found.username}?`, `${named(found)} may log in again.`, 'Enable the account'];
  if (!await confirmed(title, text, yes)) { return; }
  const path = off ? '/api/disable' : '/api/enable';
  const answer = await changed(button, path, { username: found.username }, byId('result'));
  if (!answer) { return; }
  byId('find-status').textContent = `${named(found)} is ${off ? 'disabled' : 'enabled'}.`;
  search?.abort();
  search = new AbortController();
  if (answer.answers.length > 0) { show(answer, search.signal); } else { find(found.username); }
}

// ---- Regions

async function regions() {
  const [status, place] = [byId('regions-status'), byId('regions-found')];
  byId('regions-again').disabled = true;
  status.textContent = 'Reading the regions …';
  try {
    const answer = await answered('/api/status');
    const report = of(answer, 'status/1');
    const at = (name) => report.resources.filter((one) => one.id.split('/')[0] === name);
    const names = report.regions.map((row) => row.region);
    const others = report.resources.filter((one) => !names.includes(one.id.split('/')[0]) && one.state !== 'ready');
    const cards = report.regions.map((row) => regionCard(row, region(row, at(row.region))));
    status.textContent = '';
    place.replaceChildren(
      report.lastDeploy ? element('p', { class: 'soft' }, 'Last deployment: ', when(report.lastDeploy.started),
        `, ${report.lastDeploy.outcome}`) : '',
      element('ul', { class: 'grid' }, ...cards),
      others.length > 0 ? element('div', { class: 'warning' }, element('strong', {}, 'Beside the regions'),
        faultList(others)) : '',
      ...remarks(answer), commands(answer) ?? '');
  } catch (error) {
    status.textContent = '';
    place.replaceChildren(problem(error));
  } finally {
    byId('regions-again').disabled = false;
  }
}

const faultList = (faults) => element('ul', {}, ...faults.map((one) => element('li', {},
  `${one.title}: ${one.state}${one.detail ? ` (${one.detail})` : ''}`)));

function regionCard(row, state) {
  const list = element('dl');
  for (const [name, value] of [['Host name', row.host ?? row.endpoint], ['Server', row.server],
    ['Fixed addresses', (row.addresses ?? []).join(', ')]]) {
    if (value) { list.append(element('dt', {}, name), element('dd', {}, value)); }
  }
  return element('li', {}, element('div', { class: 'title' }, element('h3', {}, row.region),
    element('span', { class: `badge ${state.tone}` }, state.text)), list,
  state.faults.length > 0 ? faultList(state.faults) : null);
}

// ---- Bots

async function bots() {
  const [status, place] = [byId('bots-status'), byId('bots-found')];
  byId('bots-again').disabled = true;
  status.textContent = 'Reading the bans …';
  try {
    const answer = await answered('/api/guard');
    const all = (state) => answer.answers.filter((one) => one.state === state);
    const [banned, allowed, close] = [all('banned'), all('allowed'), all('counted')];
    status.textContent = banned.length === 0 ? 'Nobody is banned.' : `${counted(banned.length, 'ban', 'bans')}.`;
    const part = (title, rows) => (rows.length === 0 ? [] : [element('h3', {}, title),
      element('ul', { class: 'rows' }, ...rows.map(botRow))]);
    place.replaceChildren(element('div', { id: 'bots-result' }), ...part('Banned', banned),
      ...part('Allowed for a time', allowed), ...part('Close to a ban', close), ...remarks(answer),
      commands(answer) ?? '');
  } catch (error) {
    status.textContent = '';
    const none = error.reason === 'no-guard';
    place.replaceChildren(none ? element('p', {}, 'This environment has no guard: nobody is banned.') : problem(error));
  } finally {
    byId('bots-again').disabled = false;
  }
}

function botRow(one) {
  const as = one.username ? ` as ${one.username}` : '';
  const who = `${one.address ?? 'everybody'}${as}`;
  const why = one.by === 'hand' ? 'by hand' : one.state === 'counted' ? counted(one.points, 'point', 'points')
    : counted(one.bans, 'ban so far', 'bans so far');
  const button = about.write && one.state === 'banned'
    ? element('button', { type: 'button', 'aria-label': `End the ban of ${who} in ${one.region}`,
      onclick: (event) => unban(one, who, event.currentTarget) }, 'End the ban') : null;
  return element('li', { class: 'row' }, element('div', {}, element('strong', {}, who),
    element('p', { class: 'soft' }, `In ${one.region}`, one.state === 'counted' ? `, ${why}, forgotten at ` : ' until ',
      when(one.until), one.state === 'counted' ? '' : `, ${why}`)), button);
}

async function unban(one, who, button) {
  const text = `Log-ins of ${who} in ${one.region} are answered again, and counted from zero.`;
  if (!await confirmed(`End the ban of ${who}?`, text, 'End the ban')) { return; }
  const body = { region: one.region };
  if (one.address) { body.address = one.address; }
  if (one.username) { body.username = one.username; }
  const answer = await changed(button, '/api/unban', body, byId('bots-result'));
  if (!answer) { return; }
  await bots();
  byId('bots-status').textContent = `The ban of ${who} in ${one.region} is ended. ${byId('bots-status').textContent}`;
  byId('bots').focus();
}

// ---- Start

async function start() {
  try {
    about = await fetched('/api/about');
  } catch (error) {
    byId('about').textContent = 'Not connected';
    byId('fatal').replaceChildren(problem(error));
    const controls = document.querySelectorAll('main button, main input, main select');
    for (const control of controls) { control.disabled = true; }
    return;
  }
  document.title = `SFTP console, environment ${about.environment}`;
  byId('about').replaceChildren('Environment ', element('strong', {}, about.environment), ' ',
    about.write ? element('span', { class: 'badge warn' }, 'May change accounts')
      : element('span', { class: 'badge good' }, 'Read-only'));
  byId('version').textContent = `sftpctl ${about.version}`;
  byId('regions-again').addEventListener('click', regions);
  byId('bots-again').addEventListener('click', bots);
  await Promise.all([regions(), bots()]);
}
start();
