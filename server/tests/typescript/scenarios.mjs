// Real LiveStore clients and the real server: whatever happens, one log, nothing lost, nothing twice, and every client has it.
import assert from 'node:assert/strict'

import { back, commitTogether, converged, endAll, Lab, must, settled, sleep, whole } from './lab.mjs'
import { together } from './together.mjs'

const scenarios = {
  'concurrent commits of two clients converge': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'concurrent', transport }
    const [a, b] = [await lab.client('a', at), await lab.client('b', at)]
    for (let number = 0; number < 10; number++) {
      await Promise.all([a.note(`a-${number}`), b.note(`b-${number}`)])
      must(await converged(lab, 'concurrent', [a, b], 2 * number + 2), `pair ${number}`)
    }
    const late = await lab.client('c', at)
    must(await converged(lab, 'concurrent', [a, b, late], 20), 'a third one that comes late')
    await lab.close()
  },

  'offline edits of both sides meet when the server is back, from its disk': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'offline', transport }
    const [a, b] = [await lab.client('a', at), await lab.client('b', at)]
    await a.note('a-0')
    must(await converged(lab, 'offline', [a, b], 1), 'before')
    await lab.stop()
    await commitTogether([a, b], 1, 6)
    await lab.start()
    await back(transport, [a, b])
    must(await converged(lab, 'offline', [a, b], 11), 'after the restart')
    await lab.close()
  },

  'a client that was killed offline delivers what it has on its disk': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'killed', transport }
    const [a, b] = [await lab.client('a', at), await lab.client('b', at)]
    await a.note('a-0')
    must(await converged(lab, 'killed', [a, b], 1), 'before')
    await lab.stop()
    for (let number = 1; number < 4; number++) await a.note(`a-${number}`)
    await sleep(500)
    await a.kill()
    await lab.start()
    await a.boot()
    await back(transport, [b])
    must(await converged(lab, 'killed', [a, b], 4), 'after both were started again')
    await lab.close()
  },

  'answers that are lost when the server is killed make nothing twice': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'lost', transport }
    const [a, b] = [await lab.client('a', at), await lab.client('b', at)]
    for (let kill = 0; kill < 3; kill++) {
      await Promise.all([a.note(`a-${kill}`), b.note(`b-${kill}`)])
      await sleep(25 * kill)
      await lab.stop('SIGKILL')
      await lab.start()
      await back(transport, [a, b])
      must(await converged(lab, 'lost', [a, b], 2 * kill + 2), `after kill ${kill}`)
    }
    await lab.close()
  },

  'large events and events without arguments come through': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'sizes', transport }
    const [a, b] = [await lab.client('a', at), await lab.client('b', at)]
    const large = 'x'.repeat(100_000)
    for (let number = 0; number < 12; number++) await a.note(`a-${number}`, large)
    await b.ask({ touch: true })
    await a.ask({ touch: true })
    await b.note('b-0')
    const log = await converged(lab, 'sizes', [a, b], 13)
    must(log, 'large events')
    const touched = log.filter((event) => event.name === 'v1.Touched')
    assert.equal(touched.length, 2)
    assert.ok(touched.every((event) => !('args' in event)), 'no arguments are no arguments')
    const [state] = [await b.state()]
    assert.equal(state.notes.filter(([, length]) => length === large.length).length, 12)
    await lab.close()
  },

  'a payload says who asks': async (transport) => {
    const rules = '[auth]\n[[auth.rules]]\nstores = ["private*"]\ntokens = ["right"]\n'
    const lab = await Lab.open({ rules })
    const right = await lab.client('a', { store: 'private', transport, token: 'right' })
    const wrong = await lab.client('b', { store: 'private', transport, token: 'wrong' })
    await right.note('a-0')
    await wrong.note('b-0')
    must(await converged(lab, 'private', [right], 1, { token: 'right' }), 'with the right token')
    await sleep(1500)
    assert.deepEqual(whole(await lab.log('private', 'right')), ['a-0'], 'nothing came from the other')
    assert.deepEqual((await wrong.state()).notes.map(([id]) => id), ['b-0'], 'which has its own event, and no other')
    await lab.close()
  },

  'a log that was restored has a new name, and clients start anew': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'restored', transport }
    const a = await lab.client('a', at)
    await a.note('a-0')
    must(await converged(lab, 'restored', [a], 1), 'before the backup')
    lab.command('backup', '--data', lab.data, '--to', `${lab.folder}/backup`)
    await a.note('a-1')
    must(await converged(lab, 'restored', [a], 2), 'after the backup')
    // Only who has heard of a log knows its name, and can tell that the next one is another.
    await a.witness.has(2)
    await lab.stop()
    lab.command('restore', '--data', lab.data, '--from', `${lab.folder}/backup`)
    await lab.start()
    await back(transport, [a])
    // It clears its data and ends its store by itself; what is left of it is ended, and it boots clean.
    await sleep(6000)
    await a.kill()
    await a.boot()
    await a.note('a-2')
    const log = await converged(lab, 'restored', [a], 2)
    must(log, 'after the restore')
    assert.deepEqual(whole(log), ['a-0', 'a-2'])
    await lab.close()
  },

  'clients of LiveStore and of larder share a store': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'shared', transport }
    const a = await lab.client('a', at)
    const [b, c] = [await lab.larder('b', at), await lab.larder('c', at, { livestore: true })]
    const all = [a, b, c]
    for (let round = 0; round < 4; round++) {
      for (const client of all) await client.note(`${client.options.client}-${round}`)
      must(await converged(lab, 'shared', all, 3 * round + 3), `round ${round}`)
    }
    const large = 'x'.repeat(100_000)
    await b.note('b-4', large)
    await c.ask({ touch: true })
    must(await converged(lab, 'shared', all, 13), "larder's large event, and one without arguments")
    await a.note('a-4', large)
    await a.ask({ touch: true })
    must(await converged(lab, 'shared', all, 14), "LiveStore's large event, and one without arguments")
    for (const client of all) {
      const { notes } = await client.state()
      assert.deepEqual(notes.filter(([, length]) => length === large.length).map(([id]) => id).sort(), ['a-4', 'b-4'])
    }
    assert.equal((await lab.log('shared')).filter((event) => event.name === 'v1.Touched' && !('args' in event)).length, 2)
    await lab.stop()
    for (const client of all) for (let number = 5; number < 8; number++) await client.note(`${client.options.client}-${number}`)
    await b.kill()
    await lab.start()
    await b.boot()
    await back(transport, [a])
    must(await converged(lab, 'shared', all, 23), 'after all were offline, and one was killed')
    await lab.close()
  },

  'a storm of three clients leaves one whole log, and a client of larder beside them loses nothing': async (transport) => {
    const lab = await Lab.open()
    const at = { store: 'storm', transport }
    const clients = await Promise.all(['a', 'b', 'c'].map((name) => lab.client(name, at)))
    clients.push(await lab.larder('d', at))
    await commitTogether(clients, 0, 40)
    const log = await settled(lab, at, clients, 160)
    const own = log.filter((event) => event.args.id.startsWith('d-')).map((event) => event.args.id)
    assert.deepEqual(own, Array.from({ length: 40 }, (_, number) => `d-${number}`), 'what larder committed is there, once and in order')
    await lab.close()
  },

  ...together,
}

const wanted = process.argv[2] ?? ''
let failed = 0
const allBegan = Date.now()
for (const transport of ['ws', 'http']) {
  for (const [name, run] of Object.entries(scenarios)) {
    const title = `${transport}: ${name}`
    if (!title.includes(wanted)) continue
    const began = Date.now()
    try {
      await run(transport)
      console.log(`ok   ${title} (${((Date.now() - began) / 1000).toFixed(1)} s)`)
    } catch (error) {
      failed += 1
      console.log(`FAIL ${title}\n${error.stack}`)
    }
    endAll()
  }
}
console.log(`typescript: ${((Date.now() - allBegan) / 1000).toFixed(0)} s`)
console.log(failed === 0 ? 'typescript: all scenarios passed' : `typescript: ${failed} scenarios failed`)
process.exit(failed === 0 ? 0 : 1)
