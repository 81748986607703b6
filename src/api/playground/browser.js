// The playground's page: GraphiQL with a panel of ready operations. Runs in the browser as it stands, no build.
// React, ReactDOM and GraphiQL are the globals of their own browser builds; operations.json comes from operations.ts.
const { React, ReactDOM, GraphiQL } = window;
const h = React.createElement;
const VALUES_KEY = 'credence:values';
const ROLE_KEY = 'credence:role';

/**
 * What `{{name}}` stands for. In sessionStorage, never in localStorage: tokens are gone when the tab is closed, and
 * no other tab sees them.
 */
function createValues() {
  let current = JSON.parse(sessionStorage.getItem(VALUES_KEY) ?? '{}');
  const listeners = new Set();
  return {
    get: () => current,
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(changes) {
      current = { ...current, ...changes };
      sessionStorage.setItem(VALUES_KEY, JSON.stringify(current));
      for (const listener of listeners) listener();
    },
  };
}

const at = (data, path) => path.split('.').reduce((value, key) => value?.[key], data);

/** Takes tokens and ids out of an answer, for the operations that come after. */
function keepValues(data, { definitions, values }) {
  const found = {};
  for (const { name, from = [] } of definitions) {
    for (const path of from) {
      const value = at(data, path);
      if (typeof value === 'string') found[name] = value;
    }
  }
  if (Object.keys(found).length > 0) values.set(found);
}

/** The token of the newest letter with such a link, from the development mailbox. */
async function tokenFromMailbox(path) {
  const response = await fetch('/dev/mailbox.json').catch(() => undefined);
  if (!response?.ok) return undefined;
  const letters = await response.json();
  for (const { links } of letters) {
    for (const link of links) {
      const url = URL.parse(link);
      if (url?.pathname.endsWith(path)) return url.searchParams.get('token') ?? undefined;
    }
  }
  return undefined;
}

const PLACEHOLDER = /\{\{(\w+)\}\}/g;

/** Puts values in the place of their names. Throws a sentence that names what is missing. */
async function fillIn(given, { definitions, values }) {
  const text = JSON.stringify(given);
  const known = { ...values.get(), newKey: crypto.getRandomValues(new Uint32Array(4)).join('-') };
  const missing = [];
  for (const name of new Set([...text.matchAll(PLACEHOLDER)].map((match) => match[1]))) {
    const definition = definitions.find((candidate) => candidate.name === name);
    if (!known[name] && definition?.link) known[name] = await tokenFromMailbox(definition.link);
    if (!known[name]) missing.push(`${name} (${definition?.about ?? 'not a name the playground knows'})`);
  }
  if (missing.length > 0) throw new Error(`Not sent. Fill in under Values, on the left: ${missing.join('; ')}.`);
  // Inside JSON text, so quotes and backslashes of a value must be escaped as JSON does it.
  return JSON.parse(text.replace(PLACEHOLDER, (_, name) => JSON.stringify(known[name]).slice(1, -1)));
}

/** For a tenth of a second after a change of tabs, GraphiQL still names the operation of the tab before. */
function nameIn(query, operationName) {
  return new RegExp(`\\b${operationName}\\b`).test(query) ? operationName : undefined;
}

function createFetcher(surroundings) {
  return async ({ query, variables, operationName }, options) => {
    // GraphiQL asks for the schema with the headers of the open tab, whose placeholders need not be filled yet.
    const given = operationName === 'IntrospectionQuery' ? {} : { headers: options?.headers, variables };
    try {
      const { headers, variables: filled } = await fillIn(given, surroundings);
      const response = await fetch('/graphql', {
        method: 'POST',
        credentials: 'same-origin',
        headers: { 'content-type': 'application/json', accept: 'application/json', ...headers },
        body: JSON.stringify({ query, operationName: nameIn(query, operationName), variables: filled }),
      });
      const answer = await response.json();
      if (answer.data) keepValues(answer.data, surroundings);
      return answer;
    } catch (error) {
      return { errors: [{ message: error.message }] };
    }
  };
}

const toText = (value) => (value === undefined ? '' : JSON.stringify(value, null, 2));

function tabOf(operation, role) {
  return {
    query: operation.query,
    variables: toText(operation.variables),
    headers: operation.isPublic ? '' : toText(role.headers),
  };
}

/** The names that a role's operations and headers mention, in the order of the definitions. */
function valuesOf(role, definitions) {
  const text = JSON.stringify(role);
  return definitions.filter(({ name }) => text.includes(`{{${name}}}`));
}

function OperationList({ role }) {
  const { tabs, activeTabIndex, changeTab, moveTab } = GraphiQL.React.useEditorContext({ nonNull: true });
  // With many tabs open, the one just chosen may be out of sight.
  React.useEffect(() => {
    if (activeTabIndex >= 0)
      document.querySelector('.graphiql-tab-active')?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  }, [activeTabIndex]);
  const open = (operation) => {
    const index = tabs.findIndex((tab) => tab.title === operation.name);
    if (index === activeTabIndex) return;
    if (index >= 0) {
      changeTab(index);
      return;
    }
    const { name } = operation;
    moveTab([
      ...tabs,
      { id: `ready-${name}`, hash: '', title: name, operationName: name, response: null, ...tabOf(operation, role) },
    ]);
    changeTab(tabs.length);
  };
  const item = (operation) => {
    const isOpen = tabs[activeTabIndex]?.title === operation.name;
    const label = [h('code', { key: 'name' }, operation.name), h('span', { key: 'about' }, operation.about)];
    const props = {
      type: 'button',
      className: 'ready-operation',
      'aria-current': isOpen,
      onClick: () => open(operation),
    };
    return h('li', { key: operation.name }, h('button', props, label));
  };
  return h('ul', { className: 'ready-list' }, role.operations.map(item));
}

function ValueFields({ definitions, values }) {
  const current = React.useSyncExternalStore(values.subscribe, values.get);
  const field = ({ name, about }) =>
    h('label', { key: name, className: 'ready-value', title: about }, [
      h('code', { key: 'name' }, name),
      h('input', {
        key: 'input',
        value: current[name] ?? '',
        placeholder: about,
        spellCheck: false,
        autoComplete: 'off',
        onChange: (event) => values.set({ [name]: event.target.value }),
      }),
    ]);
  return h('div', { className: 'ready-values' }, [h('h3', { key: 'title' }, 'Values'), ...definitions.map(field)]);
}

function createPanel({ roles, definitions, values }) {
  return function ReadyOperations() {
    const [roleName, setRoleName] = React.useState(sessionStorage.getItem(ROLE_KEY));
    const role = roles.find(({ name }) => name === roleName) ?? roles[0];
    const choose = (name) => {
      sessionStorage.setItem(ROLE_KEY, name);
      setRoleName(name);
    };
    const chooser = roles.map(({ name }) =>
      h(
        'button',
        { key: name, type: 'button', role: 'tab', 'aria-selected': name === role.name, onClick: () => choose(name) },
        name,
      ),
    );
    return h('section', { className: 'ready' }, [
      h('header', { key: 'title', className: 'graphiql-doc-explorer-title' }, 'Ready operations'),
      h('div', { key: 'roles', className: 'ready-roles', role: 'tablist', 'aria-label': 'Role' }, chooser),
      h('p', { key: 'about' }, role.about),
      h(OperationList, { key: `operations of ${role.name}`, role }),
      h(ValueFields, { key: 'values', definitions: valuesOf(role, definitions), values }),
    ]);
  };
}

const icon = () =>
  h(
    'svg',
    { viewBox: '0 0 24 24', fill: 'none', stroke: 'currentColor', strokeWidth: 1.6 },
    h('path', { d: 'M4 6h10M4 12h10M4 18h6m6-9 5 3-5 3z' }),
  );

/**
 * Sets GraphiQL up where its properties do not reach. It shows the panel at the start: `visiblePlugin` opens the pane
 * with no width, so this presses the button of the side bar, once, as soon as it is there. And long lines wrap.
 */
function Setup({ title }) {
  const { plugins } = GraphiQL.React.usePluginStore();
  const { queryEditor, variableEditor, headerEditor } = GraphiQL.React.useEditorContext({ nonNull: true });
  const isReady = plugins.length > 0;
  React.useEffect(() => {
    if (isReady) document.querySelector(`button[aria-label="Show ${title}"]`)?.click();
  }, [isReady, title]);
  React.useEffect(() => {
    for (const editor of [queryEditor, variableEditor, headerEditor]) editor?.setOption('lineWrapping', true);
  }, [queryEditor, variableEditor, headerEditor]);
  return 'Credence';
}

const { roles, values: definitions } = await (await fetch('/playground/operations.json')).json();
const values = createValues();
const plugin = { title: 'Ready operations', icon, content: createPanel({ roles, definitions, values }) };
const firstTabs = roles[0].operations.slice(0, 3).map((operation) => tabOf(operation, roles[0]));
const isFirstVisit = sessionStorage.getItem('graphiql:tabState') === null;
if (isFirstVisit) {
  sessionStorage.setItem('graphiql:docExplorerFlex', '0.32');
  sessionStorage.setItem('graphiql:editorFlex', '1.2');
}

ReactDOM.createRoot(document.getElementById('root')).render(
  h(
    GraphiQL,
    {
      fetcher: createFetcher({ definitions, values }),
      plugins: [plugin],
      defaultTabs: firstTabs,
      // GraphiQL fills only the query of the first tab; on later visits it remembers the rest itself.
      ...(isFirstVisit && { variables: firstTabs[0].variables, headers: firstTabs[0].headers }),
      // Everything GraphiQL remembers goes where our values are. Headers hold placeholders, not tokens.
      storage: sessionStorage,
      shouldPersistHeaders: true,
      showPersistHeadersSettings: false,
      defaultEditorToolsVisibility: 'variables',
      inputValueDeprecation: true,
    },
    h(GraphiQL.Logo, null, h(Setup, { title: plugin.title })),
  ),
);
