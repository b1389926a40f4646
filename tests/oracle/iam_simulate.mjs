// Evaluates requests with @cloud-copilot/iam-simulate: one request per line comes in, as JSON, and one
// verdict per line goes out.
//
// The package is licensed under the AGPL and is therefore only a tool for tests: scripts/test installs it below
// target/, and it is never shipped.
// Usage: node iam_simulate.mjs <the folder node_modules>
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const entry = join(process.argv[2], '@cloud-copilot/iam-simulate/dist/esm/index.js')
const { runSimulation } = await import(pathToFileURL(entry))
const words = { Allowed: 'allow', ExplicitlyDenied: 'explicit', ImplicitlyDenied: 'implicit' }

for await (const line of createInterface({ input: process.stdin })) {
  const ask = JSON.parse(line)
  const result = await runSimulation({
    request: {
      principal: ask.principal,
      action: ask.action,
      resource: { resource: ask.resource, accountId: ask.account },
      contextVariables: ask.context,
    },
    identityPolicies: ask.identity.map((policy, index) => ({ name: `policy-${index}`, policy })),
    sessionPolicy: ask.session ?? undefined,
    resourcePolicy: ask.resourcePolicy ?? undefined,
    serviceControlPolicies: [],
    resourceControlPolicies: [],
  }, {})
  // A key that the oracle leaves out would make the comparison one of different requests.
  const ignored = result.result?.ignoredContextKeys ?? []
  const answer = result.resultType === 'error'
    ? { verdict: 'error', why: JSON.stringify(result.errors) }
    : ignored.length > 0
      ? { verdict: 'error', why: `ignores ${ignored.join(', ')}` }
      : { verdict: words[result.overallResult], why: '' }
  process.stdout.write(JSON.stringify(answer) + '\n')
}
