// SPDX-License-Identifier: Apache-2.0
// Everything that comes from events goes into the page as text, never as markup: it is the attacker's.
import { mount } from 'svelte'
import App from './App.svelte'
import './app.css'

export default mount(App, { target: document.getElementById('app')! })
